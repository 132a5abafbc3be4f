"""Keep displacements by chance, larger ones more often: DELLA's MagPrune.

Source: Deep et al. 2024 (arXiv 2406.11617, section 3.1), in the parameters of mergekit: in a row of n displacements the
one of rank r = 0 ... n - 1, by ascending size, is kept with the probability p = density - epsilon + 2 epsilon r / (n -
1), and divided by p, so that the expectation is the displacement itself. Mergekit's default is epsilon = 0.15.

A row holds what leads to one output unit, whichever way a model stores its matrices (in GPT-2 mergekit takes rows of
inputs). A tensor of one dimension is a row. Equal sizes rank by index, and a row of one element has p = density (our
readings). Draws are those of ``chance``, which this is for epsilon = 0.
"""

from collections.abc import Iterator
from fractions import Fraction

from array_api_compat import array_namespace, device

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.random_bits import WORDS, random_words
from lm_interpolation.points.methods.selection import sizes, where_chosen
from lm_interpolation.points.methods.spaces import Array, Change, Changed, Chunk, Place, Space


def apply(space: Space, density: float, epsilon: float, seed: int) -> Space:
    """``space`` with each displacement kept, and divided by its probability to be, or set to 0.

    ``density`` is the mean probability; 1 keeps all. Raises ``UserError`` unless probabilities lie between 0 and 1,
    both excluded.
    """
    if density == 1:
        return space
    centre, spread = Fraction(str(density)), abs(Fraction(str(epsilon)))
    if centre - spread <= 0 or centre + spread >= 1:
        raise UserError(
            f"density {density} with epsilon {epsilon}: displacements would be kept with probabilities from "
            f"{float(centre - spread)} to {float(centre + spread)}; they must lie between 0 and 1, so lower epsilon"
        )

    def change(place: Place) -> Change:
        ranks = {model: _Aligned(_ranks(space, place, model)) for model in space.weights}
        length = _row_length(place)

        def keep(chunk: Chunk) -> dict[str, Array]:
            kept = {}
            for model, values in chunk.values.items():
                xp = array_namespace(values)
                words = random_words(seed, model, place.name, chunk.start, len(values)).astype("int64")
                rank = xp.astype(ranks[model].take(len(values)), xp.float64)
                probability = rank * (2 * epsilon / max(length - 1, 1)) + (density - epsilon if length > 1 else density)
                chosen = xp.asarray(words, device=device(values)) < xp.round(probability * WORDS)
                kept[model] = where_chosen(chosen, values / probability)
            return kept

        return keep

    return Changed(space, ("rank", density, epsilon, seed), change)


def _row_length(place: Place) -> int:
    """Elements that lead to one output unit."""
    return place.size if len(place.shape) < 2 else place.size // max(place.shape[place.outputs], 1)


def _ranks(space: Space, place: Place, model: str) -> Iterator[Array]:
    """The rank of each element in its row, flat and in pieces.

    Where rows lie one behind the other, only some are in memory at once, else the sizes of the whole tensor.
    """
    found = (sizes(chunk.values[model]) for chunk in space.chunks(place))
    if len(place.shape) == 2 and place.outputs == 1:
        whole = list(found)
        matrix = array_namespace(*whole).reshape(array_namespace(*whole).concat(whole), place.shape)
        yield array_namespace(matrix).reshape(_ranks_in_rows(matrix.T).T, (-1,))
        return
    length, left = _row_length(place), []
    for piece in found:
        left.append(piece)
        rows = sum(map(len, left)) // length
        if rows:
            xp = array_namespace(piece)
            joined = xp.concat(left)
            yield xp.reshape(_ranks_in_rows(xp.reshape(joined[: rows * length], (rows, length))), (-1,))
            left = [joined[rows * length :]]


def _ranks_in_rows(matrix: Array) -> Array:
    """The rank of each element in its row, by ascending size, equal ones by index."""
    xp, (rows, length) = array_namespace(matrix), matrix.shape
    places = xp.arange(length, dtype=xp.int64, device=device(matrix))
    # Sizes and indices in one number: sorting numbers is faster than sorting indices by them.
    ordered = xp.sort((xp.astype(matrix, xp.int64) << 32) | places, axis=1) & 0xFFFFFFFF
    starts = xp.arange(rows, dtype=xp.int64, device=device(matrix)) * length
    ranks = xp.empty(rows * length, dtype=xp.int64, device=device(matrix))
    ranks[xp.reshape(ordered + starts[:, None], (-1,))] = xp.reshape(xp.broadcast_to(places, (rows, length)), (-1,))
    return xp.reshape(ranks, (rows, length))


class _Aligned:
    """Pieces of a sequence, taken in other lengths."""

    def __init__(self, pieces: Iterator[Array]) -> None:
        self._pieces = pieces
        self._left: list[Array] = []

    def take(self, count: int) -> Array:
        """The next ``count`` elements."""
        while sum(map(len, self._left)) < count:
            self._left.append(next(self._pieces))
        joined = self._left[0] if len(self._left) == 1 else array_namespace(*self._left).concat(self._left)
        self._left = [joined[count:]]
        return joined[:count]

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

from array_api_compat import device

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.random_bits import WORDS, random_words
from lm_interpolation.points.methods.selection import sizes, where_chosen
from lm_interpolation.points.methods.spaces import Array, Change, Changed, Chunk, Place, Space, namespace

_TOGETHER = 1 << 16
"""Elements of each model that are sorted at once, so that they stay in the processor's cache."""


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
        ranks = _Aligned(_ranks(space, place))
        length = _row_length(place)
        least, step = (density - epsilon, 2 * epsilon / (length - 1)) if length > 1 else (density, 0.0)

        def keep(chunk: Chunk) -> dict[str, Array]:
            kept = {}
            ranked = ranks.take(len(next(iter(chunk.values.values()))))
            for rank, (model, values) in zip(ranked, chunk.values.items(), strict=True):
                xp = namespace(values)
                words = random_words(seed, model, place.name, chunk.start, len(values)).astype("float64")
                probability = xp.astype(rank, xp.float64) * step + least
                chosen = xp.asarray(words, device=device(values)) < probability * WORDS
                kept[model] = where_chosen(chosen, values / probability)
            return kept

        return keep

    return Changed(space, ("rank", density, epsilon, seed), change)


def _row_length(place: Place) -> int:
    """Elements that lead to one output unit."""
    return place.size if len(place.shape) < 2 else place.size // max(place.shape[place.outputs], 1)


def _ranks(space: Space, place: Place) -> Iterator[Array]:
    """The rank of each element in its row (int32), in pieces of shape (models, elements).

    Where rows lie one behind the other, only some are in memory at once, else the sizes and ranks of the whole tensor.
    """
    found = (_stacked([sizes(values) for values in chunk.values.values()]) for chunk in space.chunks(place))
    if len(place.shape) == 2 and place.outputs == 1:
        yield _ranks_in_columns(_joined(list(found)), place.shape)
        return
    length, left = _row_length(place), []
    for piece in found:
        left.append(piece)
        rows = sum(part.shape[1] for part in left) // length
        if rows:
            joined = _joined(left)
            yield _ranks_in_rows(joined[:, : rows * length], length)
            left = [joined[:, rows * length :]]


def _ranks_in_columns(own: Array, shape: tuple[int, ...]) -> Array:
    """Like ``_ranks_in_rows``, where the rows are the columns of matrices of this shape."""
    xp, (height, width) = namespace(own), shape
    matrices, ranks = xp.reshape(own, (-1, height, width)), xp.empty_like(xp.reshape(own, (-1, height, width)))
    some = max(_TOGETHER // height, 1)
    for begin in range(0, width, some):
        columns = xp.permute_dims(matrices[:, :, begin : begin + some], (0, 2, 1))
        found = xp.reshape(_ranks_in_rows(xp.reshape(columns, (len(matrices), -1)), height), columns.shape)
        ranks[:, :, begin : begin + some] = xp.permute_dims(found, (0, 2, 1))
    return xp.reshape(ranks, own.shape)


def _ranks_in_rows(own: Array, length: int) -> Array:
    """The rank of each size in its row of ``length`` elements, ascending, equal ones by index (int32, same shape)."""
    xp, where = namespace(own), device(own)
    matrix = xp.reshape(own, (-1, length))
    places = xp.arange(length, dtype=xp.int64, device=where)
    # Sizes and indices in one number: sorting numbers is faster than sorting indices by them.
    ordered = xp.sort(xp.astype(matrix, xp.int64) * WORDS + places, axis=1, stable=False) & 0xFFFFFFFF
    ordered += (xp.arange(len(matrix), dtype=xp.int64, device=where) * length)[:, None]
    ranks = xp.empty(matrix.shape[0] * length, dtype=xp.int32, device=where)
    ranks[xp.reshape(ordered, (-1,))] = xp.reshape(xp.broadcast_to(xp.astype(places, xp.int32), matrix.shape), (-1,))
    return xp.reshape(ranks, own.shape)


def _stacked(arrays: list[Array]) -> Array:
    return namespace(arrays[0]).stack(arrays)


def _joined(pieces: list[Array]) -> Array:
    return pieces[0] if len(pieces) == 1 else namespace(pieces[0]).concat(pieces, axis=1)


class _Aligned:
    """Pieces of arrays, taken in other lengths."""

    def __init__(self, pieces: Iterator[Array]) -> None:
        self._pieces = pieces
        self._left: list[Array] = []

    def take(self, count: int) -> Array:
        """The next ``count`` elements of each array."""
        while sum(piece.shape[1] for piece in self._left) < count:
            self._left.append(next(self._pieces))
        joined = _joined(self._left)
        self._left = [joined[:, count:]]
        return joined[:, :count]

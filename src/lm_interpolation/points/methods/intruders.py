"""Scale the intruder dimensions of each model: those of its leading singular vectors that its base does not have.

Source: Shuttleworth et al. 2024 (arXiv 2410.21228): W + (lambda - 1) sum_j sigma_j u_j v_j^T over the intruders j among
the first k singular vectors of W. ``singular`` says which matrices these are, and what an intruder is. lambda = 1
changes nothing, 0 takes the intruders out. PEFT's ``reduce_intruder_dimension`` (0.21) computes the same, although its
docstring calls lambda the part that is subtracted; it then cuts the change down to the rank of the adapter.

What is added to a displacement is a sum of products of vectors, each element by itself and in one order: it does not
depend on chunks.
"""

from dataclasses import dataclass

import numpy as np
from array_api_compat import device

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.singular import Leading, Matrix, is_compared, leading
from lm_interpolation.points.methods.spaces import Array, Change, Changed, Chunk, Place, Space, namespace


def apply(space: Space, factor: float, k: int, epsilon: float) -> Space:
    """``space`` with the intruders of each model scaled by ``factor``.

    ``k`` is the number of leading singular vectors of each matrix that may be intruders, ``epsilon`` the cosine below
    which they are. Raises ``UserError`` if the models have no matrix in which intruders are looked for.
    """
    if factor == 1:
        return space
    if not any(map(is_compared, space.places.values())):
        raise UserError(
            "keep by intruders: the models have no matrix of attention or MLP in a numbered block (h.0, layers.0), "
            "where intruders are looked for; remove this stage"
        )

    def change(place: Place) -> Change:
        if not is_compared(place):
            return lambda chunk: chunk.values
        found = _leading(space, place, k)
        added = {model: _added(one, place, factor, epsilon) for model, one in found.items()}

        def scale(chunk: Chunk) -> dict[str, Array]:
            return {model: added[model].onto(values, chunk.start) for model, values in chunk.values.items()}

        return scale

    return Changed(space, ("intruders", factor, k, epsilon), change)


def _leading(space: Space, place: Place, count: int) -> dict[str, Leading]:
    """Model -> its leading singular vectors in a tensor, computed once for all points and all other settings."""
    known: dict[str, Leading] = space.remember(("leading", place.name, count), dict)
    if missing := [model for model in space.weights if model not in known]:
        known |= leading(space, place, count, missing)
    return {model: known[model] for model in space.weights}


@dataclass(frozen=True)
class _Added:
    """The matrix that is the sum of columns of ``rows`` (height, n) times rows of ``columns`` (n, width)."""

    rows: Matrix
    columns: Matrix

    def onto(self, values: Array, start: int) -> Array:
        """``values``, elements of a tensor from index ``start`` on, plus those of the matrix."""
        if not len(self.columns):
            return values
        xp, where, width = namespace(values), device(values), self.columns.shape[1]
        first, stop = start // width, -(-(start + len(values)) // width)
        rows, columns = xp.asarray(self.rows[first:stop], device=where), xp.asarray(self.columns, device=where)
        total = rows[:, :1] * columns[:1, :]
        for index in range(1, columns.shape[0]):
            total += rows[:, index : index + 1] * columns[index : index + 1, :]
        begin = start - first * width
        return values + xp.reshape(total, (-1,))[begin : begin + len(values)]


def _added(found: Leading, place: Place, factor: float, epsilon: float) -> _Added:
    """What scaling the intruders of a matrix adds to it, as it is stored."""
    intruders = np.flatnonzero(found.cosines < epsilon)
    left, right = (factor - 1) * found.left[:, intruders], found.right[intruders]
    return _Added(left, right) if place.outputs == 0 else _Added(right.T, left.T)

"""Inner products of the displacements of models, tensor by tensor: what SLERP, the Karcher mean and stock need.

Sums are in float64: within a piece of a chunk pairwise, as NumPy adds, then from piece to piece. So on a CPU they do
not depend on threads or the size of chunks, nor on whether models are on disk or in memory. (BLAS, which would be
faster, splits sums among its threads.)
"""

from typing import Any

import numpy as np

from lm_interpolation.points.methods.spaces import Array, Place, Space, namespace

_PIECE = 1 << 15
"""Elements; chunks are multiples of it, save the last of a tensor."""

Matrix = np.ndarray[Any, np.dtype[np.float64]]


def gram(space: Space, place: Place) -> Matrix:
    """<v_m, v_k> of the displacements of one tensor: symmetric, of shape (models, models), in order of the weights.

    Reads the tensor once per space and set of models, then remembers the result.
    """
    models = tuple(space.weights)
    return space.remember(("gram", place.name, models), lambda: _gram(space, place, models))


def _gram(space: Space, place: Place, models: tuple[str, ...]) -> Matrix:
    total = np.zeros((len(models), len(models)))
    for chunk in space.chunks(place):
        for row, one in enumerate(models):
            for column, two in enumerate(models[: row + 1]):
                for part in _sums(chunk.values[one] * chunk.values[two]):
                    total[row, column] += part
    return np.tril(total) + np.tril(total, -1).T


def _sums(values: Array) -> list[float]:
    """The sum of each piece of a chunk."""
    xp, whole = namespace(values), len(values) // _PIECE * _PIECE
    sums = xp.sum(xp.reshape(values[:whole], (-1, _PIECE)), axis=1).tolist() if whole else []
    return [*sums, float(xp.sum(values[whole:]))] if whole < len(values) else sums

"""Combine linear layers by regression (RegMean): outputs on the models' own inputs change as little as possible.

Source: Jin et al. 2023 (arXiv 2212.09849, section 3): W = (sum_m c_m G_m)^-1 sum_m c_m G_m W_m, where W maps inputs
(rows) to outputs and G_m = X^T X is the Gram matrix of the inputs that the layer of model m reads. Elements of G off
the diagonal are multiplied by alpha, here ``off_diagonal``. All other tensors (embeddings, norms, biases, and an output
layer that is tied to embeddings) are averaged with the same weights.

Inputs span fewer directions than a layer has, and G cannot be inverted (other implementations try to). So 1e-6 of the
mean diagonal is added to the diagonals of all G, the same for all models: along directions that no input has, the
result is the affine mean.

In terms of the mean M = sum_m w_m W_m it is M + (sum_m w_m G_m)^-1 sum_m w_m G_m (W_m - M), which is exact where models
agree. Sums are float64; those of LAPACK depend on its number of threads by rounding.
"""

from collections.abc import Callable, Mapping

import numpy as np
from array_api_compat import device

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.headers import Tensor
from lm_interpolation.points.methods.blending import scale_and_weights
from lm_interpolation.points.methods.spaces import Array, Chunk, Place, Space, combined, namespace, weighted_sum
from lm_interpolation.points.methods.statistic_files import Doubles, elements, open_statistics, require_shapes

RIDGE = 1e-6
"""Of the mean diagonal of the Gram matrices."""


def apply(space: Space, statistic: str, off_diagonal: float) -> Space:
    """``space`` with its models combined.

    ``statistic`` is the folder with the Gram matrices of each model, by the name of the layer's weight: upper
    triangles, row by row, in float64. ``off_diagonal`` is the factor, 0 to 1, of their other elements than the
    diagonal. Raises ``UserError`` if a coefficient is negative, or if a file is missing or does not fit.

    One layer is in memory at a time.
    """
    scale, weights = scale_and_weights(space)
    files = open_statistics(statistic, weights)
    layers = {name: place for name, place in space.places.items() if len(place.shape) == 2}
    require_shapes(files, {name: (_triangle(_inputs(place)),) for name, place in layers.items()})
    solved = next(iter(files.values())).keys()

    def change(place: Place) -> Callable[[Chunk], Array]:
        if place.name not in solved:
            return lambda chunk: scale * weighted_sum(chunk.values, weights)
        tensors = {model: files[model][place.name] for model in weights}
        merged: Array | None = None

        def combine(chunk: Chunk) -> Array:
            nonlocal merged
            # Not before: some tensors are prepared ahead, which need not wait in memory.
            if merged is None:
                merged = _solution(space, place, weights, tensors, off_diagonal)
            count = len(next(iter(chunk.values.values())))
            return scale * merged[chunk.start : chunk.start + count]

        return combine

    return combined(space, ("regmean", statistic, off_diagonal, *space.weights.items()), change)


def _solution(
    space: Space, place: Place, weights: Mapping[str, float], tensors: Mapping[str, Tensor], off_diagonal: float
) -> Array:
    """The combination of a whole matrix, flat, in float64."""
    moved = {model: _oriented(values, place) for model, values in _whole(space, place).items()}
    mean = weighted_sum(moved, weights)
    xp, size = namespace(mean), _inputs(place)
    left, right = xp.zeros((size, size), dtype=xp.float64, device=device(mean)), xp.zeros_like(mean)
    for model, weight in weights.items():
        gram = xp.asarray(weight * _gram(tensors[model], size, off_diagonal), device=device(mean))
        left += gram
        right += gram @ (moved[model] - mean)
    ridge = RIDGE * float(xp.linalg.trace(left)) / size
    if ridge > 0:
        left += ridge * xp.eye(size, dtype=xp.float64, device=device(mean))
        mean += xp.linalg.solve(left, right)
    return xp.reshape(mean if place.outputs else xp.permute_dims(mean, (1, 0)), (-1,))


def _whole(space: Space, place: Place) -> dict[str, Array]:
    """All displacements of a tensor, flat: model -> float64."""
    parts: dict[str, list[Array]] = {model: [] for model in space.weights}
    for chunk in space.chunks(place):
        for model, values in chunk.values.items():
            # The next chunk may be in the same memory.
            parts[model].append(namespace(values).asarray(values, copy=True))
    return {model: namespace(found[0]).concat(found) for model, found in parts.items()}


def _inputs(place: Place) -> int:
    """Number of inputs of a layer with this weight."""
    return place.shape[1 - place.outputs]


def _oriented(values: Array, place: Place) -> Array:
    """A weight as a matrix (inputs, outputs)."""
    xp = namespace(values)
    matrix = xp.reshape(values, place.shape)
    return matrix if place.outputs else xp.permute_dims(matrix, (1, 0))


def _triangle(size: int) -> int:
    """Number of elements of an upper triangle, with the diagonal."""
    return size * (size + 1) // 2


def _gram(tensor: Tensor, size: int, off_diagonal: float) -> Doubles:
    """The Gram matrix (size, size) in a file, its elements off the diagonal multiplied by a factor."""
    packed = elements(tensor, 0, tensor.size)
    if not np.isfinite(packed).all():
        raise UserError(f"{tensor.file}: the Gram matrix of {tensor.name} holds NaN or inf; build the file again")
    full = np.zeros((size, size))
    full[np.triu(np.ones((size, size), dtype=bool))] = packed
    diagonal = full.diagonal().copy()
    full += np.triu(full, 1).T
    full *= off_diagonal
    np.fill_diagonal(full, diagonal)
    return full

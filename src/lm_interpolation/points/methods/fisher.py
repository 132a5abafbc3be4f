"""Combine by Fisher information: each weight is a mean over models, weighted by what their data say about it.

Source: Matena and Raffel 2022 (arXiv 2111.09832, Eq. 4): sum_m c_m F_m theta_m / sum_m c_m F_m with the diagonal F_m of
the Fisher information of model m. F is used as it is: the code of its authors, and fusion_bench, also divide F_m by its
norm over the whole model by default, which the equation does not.

Where F is small in all models it says nothing, and the quotient would be that of rounding. So no F counts as less than
1e-6 of its mean over the tensor, which is itself weighted over models: there, weights approach the affine mean. (An
absolute floor, as in other implementations, is above most F of a fine-tuned model.) The floor is that of a tensor, not
of the model, since F differs between tensors by orders of magnitude.
"""

import functools
from collections.abc import Callable, Mapping

import numpy as np
from array_api_compat import device

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.headers import Tensor
from lm_interpolation.points.methods.blending import scale_and_weights
from lm_interpolation.points.methods.spaces import Array, Chunk, Place, Space, combined, namespace, weighted_sum
from lm_interpolation.points.methods.statistic_files import elements, open_statistics, require_shapes

FLOOR = 1e-6
"""Of the mean F of a tensor."""

_PIECE = 1 << 17
"""Elements of F that are read at once for its mean."""


def apply(space: Space, statistic: str) -> Space:
    """``space`` with its models combined.

    ``statistic`` is the folder with the F of each model, in float32 and in the shape of its tensors. Raises
    ``UserError`` if a coefficient is negative, or if a file of F is missing or does not fit.
    """
    scale, weights = scale_and_weights(space)
    files = open_statistics(statistic, weights)
    require_shapes(files, {name: place.shape for name, place in space.places.items()})
    if lacking := space.places.keys() - next(iter(files.values())).keys():
        raise UserError(f"{statistic}: has no F of {min(lacking)}, a tensor of the models; build the files again")

    def change(place: Place) -> Callable[[Chunk], Array]:
        tensors = {model: files[model][place.name] for model in weights}
        means = {
            model: space.remember(("fisher", statistic, model, place.name), functools.partial(_mean, tensor))
            for model, tensor in tensors.items()
        }
        mean = sum(weight * means[model] for model, weight in weights.items())
        if mean == 0:
            return lambda chunk: scale * weighted_sum(chunk.values, weights)

        def combine(chunk: Chunk) -> Array:
            shares = {
                model: weights[model] * information
                for model, information in _read(chunk, tensors, FLOOR * mean).items()
            }
            total = weighted_sum(shares, dict.fromkeys(shares, 1.0))
            parts = {model: share / total * chunk.values[model] for model, share in shares.items()}
            return weighted_sum(parts, dict.fromkeys(parts, scale))

        return combine

    return combined(space, ("fisher", statistic, *space.weights.items()), change)


def _mean(tensor: Tensor) -> float:
    """The mean of F over a tensor. Raises ``UserError`` if one is negative, NaN or infinite."""
    total = 0.0
    for start in range(0, tensor.size, _PIECE):
        part = elements(tensor, start, min(_PIECE, tensor.size - start))
        total += float(np.sum(part))
        # NaN compares as false.
        if not (part >= 0).all() or not np.isfinite(total):
            raise UserError(f"{tensor.file}: F of {tensor.name} is negative, NaN or infinite; build the file again")
    return total / max(tensor.size, 1)


def _read(chunk: Chunk, tensors: Mapping[str, Tensor], floor: float) -> dict[str, Array]:
    """F of each model for the elements of a chunk, at least ``floor``, where the chunk is."""
    found = {}
    for model, values in chunk.values.items():
        own = np.maximum(elements(tensors[model], chunk.start, len(values)), floor)
        found[model] = namespace(values).asarray(own, device=device(values))
    return found

"""Combining by one factor for each model and tensor: what several ways of combining have in common.

Their coefficients c say where between the models a point lies, and how far from the base: with s = sum_m c_m and the
weights w = c / s, the point is b + s combine(displacements; w). Without a base the coefficients sum to 1, so s = 1.
"""

import math
from collections.abc import Callable, Hashable, Mapping

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.spaces import Array, Chunk, Place, Space, combined, weighted_sum


def scale_and_weights(space: Space) -> tuple[float, dict[str, float]]:
    """s and w (see above); w >= 0 and sums to 1. Raises ``UserError`` for coefficients without such weights."""
    scale = math.fsum(space.weights.values())
    if scale <= 0 or min(space.weights.values()) < 0:
        raise UserError(
            f"coefficients {dict(space.weights)} are negative, or all 0, which this combination does not define; give "
            "none below 0"
        )
    return scale, {model: weight / scale for model, weight in space.weights.items()}


def blended(
    space: Space, stage: tuple[Hashable, ...], factors: Callable[[Place, Mapping[str, float]], Mapping[str, float]]
) -> Space:
    """The combination b + s sum_m f_m v_m, where ``factors`` computes f (model -> factor) from a tensor and w.

    ``stage`` names what is done, with its settings. Raises what ``scale_and_weights`` raises.
    """
    scale, weights = scale_and_weights(space)

    def change(place: Place) -> Callable[[Chunk], Array]:
        found = {model: scale * factor for model, factor in factors(place, weights).items()}
        return lambda chunk: weighted_sum(chunk.values, found)

    return combined(space, (*stage, *space.weights.items()), change)

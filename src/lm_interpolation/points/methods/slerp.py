"""Combine two models along the arc between them, tensor by tensor: SLERP of weights, NuSLERP of displacements.

Source: Shoemake 1985, "Animating rotation with quaternion curves", as merge tools apply it to tensors taken as vectors:
[sin((1-t) Omega) v_0 + sin(t Omega) v_1] / sin Omega, with the angle Omega between v_0 and v_1. Without a base (v are
the weights) this is SLERP; with one (v are displacements) it is mergekit's NuSLERP.

Where a vector is 0, or the two point the same or opposite ways, there is no arc, and the combination is linear. On
small angles both agree to the square of the angle. Mergekit switches at a cosine of 0.9995, which weights of models
fine-tuned from one base always exceed; we at an angle of 1e-6.
"""

import math
from collections.abc import Mapping

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.blending import blended
from lm_interpolation.points.methods.gram import Matrix, gram
from lm_interpolation.points.methods.spaces import Place, Space

_SMALL_ANGLE = 1e-6
"""Smaller ones differ from 0 by rounding alone; there the linear factors are exact to 1e-12."""


def apply(space: Space) -> Space:
    """``space`` with its two models combined; t is the weight of the second by name. One model stays as it is.

    Raises ``UserError`` for more than two models, and if a coefficient is negative.
    """
    if len(space.weights) > 2:
        raise UserError(
            f"slerp combines two models, not {len(space.weights)} ({', '.join(space.weights)}); use karcher"
        )

    def factors(place: Place, weights: Mapping[str, float]) -> dict[str, float]:
        if len(weights) == 1:
            return dict(weights)
        return dict(zip(weights, arc(gram(space, place), *weights.values()), strict=True))

    return blended(space, ("slerp",), factors)


def arc(products: Matrix, first: float, second: float) -> tuple[float, float]:
    """Factors of two vectors with these inner products, at the weights ``first`` and ``second`` = 1 - ``first``."""
    # Not from the cosine: near 1 it hides the angle.
    sine = math.sqrt(max(products[0, 0] * products[1, 1] - products[0, 1] ** 2, 0))
    if sine <= _SMALL_ANGLE * math.sqrt(products[0, 0] * products[1, 1]):
        return first, second
    angle = math.atan2(sine, products[0, 1])
    return math.sin(first * angle) / math.sin(angle), math.sin(second * angle) / math.sin(angle)

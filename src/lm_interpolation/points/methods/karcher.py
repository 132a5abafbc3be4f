"""Combine by the Karcher mean, tensor by tensor: the mean direction on the unit sphere, times the mean length.

Source: Karcher 1977, "Riemannian center of mass and mollifier smoothing"; as mergekit defines it for tensors taken as
vectors: u minimises sum_m w_m angle(u, v_m)^2 over unit vectors, and the result is u sum_m w_m |v_m|. Its defaults are
10 iterations and a tolerance of 1e-5. The mean lies in the span of the vectors, so it is found from their inner
products.

Vectors of length 0 have no direction and count for the length alone, as in mergekit. Where directions cancel, the mean
is not unique, and the combination is linear (our reading; mergekit starts from the first).
"""

import math
from collections.abc import Mapping

import numpy as np

from lm_interpolation.points.methods.blending import blended
from lm_interpolation.points.methods.gram import Matrix, gram
from lm_interpolation.points.methods.spaces import Place, Space

_CANCELLED = 1e-6
"""Length of a weighted mean of unit vectors below which only rounding is left of its direction."""


def apply(space: Space, iterations: int, tolerance: float) -> Space:
    """``space`` with its models combined.

    Stops after so many ``iterations``, or when a step is shorter than ``tolerance`` (radians). Raises ``UserError`` if
    a coefficient is negative.
    """

    def factors(place: Place, weights: Mapping[str, float]) -> dict[str, float]:
        if len(weights) == 1:
            return dict(weights)
        found = mean(gram(space, place), np.array(list(weights.values())), iterations, tolerance)
        return dict(zip(weights, map(float, found), strict=True))

    return blended(space, ("karcher", iterations, tolerance), factors)


def mean(products: Matrix, weights: np.ndarray, iterations: int, tolerance: float) -> np.ndarray:
    """Factors (float64) of vectors with these inner products in their Karcher mean at ``weights``, which sum to 1."""
    lengths = np.sqrt(np.diagonal(products))
    there = lengths > 0
    cosines = products[np.ix_(there, there)] / np.outer(lengths[there], lengths[there])
    shares = weights[there]
    # The mean direction as factors of the unit vectors; its cosines with them are `cosines @ direction`.
    direction = shares / shares.sum() if there.any() else shares
    length = _length(direction, cosines)
    if length <= _CANCELLED:
        return weights
    direction = direction / length
    for _ in range(iterations):
        towards = np.clip(cosines @ direction, -1, 1)
        angles = np.arccos(towards)
        # angle / sin(angle), which is 1 at 0.
        ratios = 1 / np.sinc(angles / math.pi)
        pulls = shares / shares.sum() * ratios
        step = pulls - (pulls @ towards) * direction
        length = _length(step, cosines)
        if length < tolerance:
            break
        direction = math.cos(length) * direction + math.sin(length) / length * step
        direction /= _length(direction, cosines)
    found = np.zeros_like(weights)
    found[there] = direction / lengths[there] * (weights @ lengths)
    return found


def _length(factors: np.ndarray, cosines: Matrix) -> float:
    """Length of the sum of unit vectors with these cosines, times ``factors``."""
    return math.sqrt(max(float(factors @ cosines @ factors), 0))

"""One linear combination of estimates, and the share of the way from one value to another.

The interval of a share is Fieller's (1954, Journal of the Royal Statistical Society B 16): a share s is rejected if
(value - from) - s (to - from), which is linear, differs from 0. It stays valid where the whole way is short against its
error, and is then infinite.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from lm_interpolation.statistics.inference import (
    DRAWS,
    LEAST_UNITS,
    SKEWED_UNITS,
    TAIL,
    Estimate,
    widths,
)


class Contrast:
    """A linear combination of values that rest on the same units.

    Its limits are Student's, or those of the studentised bootstrap where they are wider.
    """

    finest = 1 / DRAWS

    def __init__(self, estimate: Estimate, weights: Sequence[float] | np.ndarray, seed: int) -> None:
        """``weights`` (k,) of the values of ``estimate``."""
        one = estimate.contrasts(np.asarray(weights, dtype=np.float64)[:, None])
        self.value = float(one.values[0])
        self._units, self._error = one.units, float(one.errors[0])
        skewed = one.units >= LEAST_UNITS and len(one.influence) <= SKEWED_UNITS
        self._noise = one.skewed_noise(seed, DRAWS)[:, 0] if skewed else None

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``inference.Inference``."""
        reach = float(stdtrit(self._units - 1, 1 - tail)) * self._error
        down = up = reach
        if self._noise is not None:
            lowest, highest = np.quantile(self._noise, [tail, 1 - tail])
            down, up = max(down, float(highest)), max(up, -float(lowest))
        width = widths(self._units, more)
        return self.value - width * down, self.value + width * up


class Share:
    """(value - start) / (end - start) of three values that rest on the same units: 0 at the start, 1 at the end."""

    finest = 0.0

    def __init__(self, estimate: Estimate) -> None:
        """``estimate`` holds start, value and end, in this order; the end must differ from the start."""
        both = estimate.contrasts(np.array([[-1.0, -1.0], [1.0, 0.0], [0.0, 1.0]]))
        self._part, self._whole = map(float, both.values)
        self._covariance = both.influence.T @ both.influence
        self._units = both.units
        self.value = self._part / self._whole

    def clear(self, tail: float = TAIL) -> bool:
        """Whether the whole way differs from 0, so that a share of it has finite limits."""
        return math.isfinite(self.limits(tail)[0])

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``inference.Inference``."""
        t = float(stdtrit(self._units - 1, 1 - tail)) * widths(self._units, more)
        (parts, mixed), (_, wholes) = t**2 * self._covariance
        # All s with a s^2 - 2 b s + c <= 0.
        a, b, c = self._whole**2 - wholes, self._part * self._whole - mixed, self._part**2 - parts
        if a <= 0:
            return -math.inf, math.inf
        root = math.sqrt(max(b**2 - a * c, 0.0))
        return (b - root) / a, (b + root) / a


def apart(parts: Sequence[Estimate]) -> list[Estimate]:
    """Estimates that rest on different units, over all of these units, so that they can stand beside each other.

    Each keeps its ``units``, the number that counts.
    """
    total = sum(len(part.influence) for part in parts)
    found, begin = [], 0
    for part in parts:
        influence = np.zeros((total, part.influence.shape[1]))
        influence[begin : begin + len(part.influence)] = part.influence
        begin += len(part.influence)
        found.append(Estimate(part.values, influence, part.units))
    return found


def mean_of(parts: Sequence[Estimate]) -> Estimate:
    """The mean of estimates of equally many values that rest on different units; each part weighs the same.

    Its ``units`` are those of the part that has the fewest.
    """
    count = len(parts)
    return Estimate(
        np.mean([part.values for part in parts], axis=0),
        np.vstack([part.influence for part in parts]) / count,
        min(part.units for part in parts),
    )

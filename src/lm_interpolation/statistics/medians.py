"""Intervals of medians from order statistics: valid for any distribution."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, ndtri


@dataclass(frozen=True)
class Median:
    """The median of a population; ``sample`` (n,) is a random sample of it.

    The limits are order statistics (Thompson 1936; Conover 1999, section 3.2). For any distribution the median lies
    beyond each of them with at most the tail's probability. They are infinite if the sample is
    too small: 95 % needs six.
    """

    sample: np.ndarray
    finest = 0.0

    @property
    def value(self) -> float:
        """The median of the sample."""
        return float(np.median(self.sample))

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``inference.Inference``."""
        ordered, n = np.sort(self.sample), len(self.sample)
        if more != 1:
            # For a larger sample only shares are known: those of the normal approximation.
            reach = -ndtri(tail) / 2 / math.sqrt(n * more)
            if reach >= 0.5:
                return -math.inf, math.inf
            low, high = np.quantile(ordered, [0.5 - reach, 0.5 + reach])
            return float(low), float(high)
        # At most `rank` units lie below the median with at most this probability.
        ranks = np.flatnonzero(bdtr(np.arange(n // 2 + 1), n, 0.5) <= tail)
        if not len(ranks):
            return -math.inf, math.inf
        rank = int(ranks[-1])
        return float(ordered[rank]), float(ordered[n - 1 - rank])


@dataclass(frozen=True)
class MedianRatio:
    """The ratio of the medians of two populations of positive numbers; each of them gets half of the tail."""

    top: Median
    bottom: Median
    finest = 0.0

    @property
    def value(self) -> float:
        """The ratio of the medians of the samples."""
        return self.top.value / self.bottom.value

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``inference.Inference``."""
        (low, high), (least, most) = (median.limits(tail / 2, more) for median in (self.top, self.bottom))
        if math.isinf(low) or math.isinf(least):
            return -math.inf, math.inf
        return low / most, high / least

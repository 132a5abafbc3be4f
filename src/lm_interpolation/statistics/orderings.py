"""Inference on the order of estimated values: rank correlations along a line, and which points have the lowest values.

The order of two values is known if their difference exceeds its error, for all pairs at once. A statistic of the
order lies between its extremes over all orders that agree with the known ones (as ranks do: Mogstad, Romano, Shaikh and
Wilhelm 2024, Review of Economic Studies 91).
"""

import functools

import numpy as np

from lm_interpolation.statistics.inference import DRAWS, Estimate, widths

MOST_POINTS = 20
"""Lines with up to this many points are searched over all orders."""

PAIR_DRAWS = 2000
"""Draws of the errors of all pairs of points of a plane, which has many pairs."""


def spearman(values: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each row of ``values`` (n, k) with the order of its columns, (n,) float64.

    Ties share their mean rank. A row of equal values neither rises nor falls: 0. A row with a NaN gives NaN.
    """
    below = (values[:, :, None] > values[:, None, :]).sum(axis=2)
    equal = (values[:, :, None] == values[:, None, :]).sum(axis=2)
    ranks = below + (equal - 1) / 2
    k = values.shape[1]
    deviations = ranks - (k - 1) / 2
    order = np.arange(k) - (k - 1) / 2
    norms = np.sqrt((deviations**2).sum(axis=1) * (order**2).sum())
    rho = np.divide(deviations @ order, norms, out=np.zeros(len(values)), where=norms > 0)
    return np.where(np.isnan(values).any(axis=1), np.nan, rho)


class RankCorrelation:
    """Spearman's correlation of values with their order along a line.

    A step-down procedure (Romano and Wolf 2005, Econometrica 73) finds ordered pairs: with probability
    1 - tail all of them are truly ordered. The limits are the lowest and the highest correlation over all orders of
    the points that keep these pairs.

    Attributes:
        value: that of the estimates.
    """

    finest = 1 / DRAWS

    def __init__(self, estimate: Estimate, seed: int) -> None:
        """``estimate`` holds up to ``MOST_POINTS`` values in the order of the line."""
        self._points = len(estimate.values)
        self.value = float(spearman(estimate.values[None])[0])
        first, second = np.triu_indices(self._points, 1)
        self._pairs = list(zip(first.tolist(), second.tolist(), strict=True))
        weights = np.zeros((self._points, len(first)))
        weights[first, np.arange(len(first))], weights[second, np.arange(len(first))] = -1, 1
        rises = estimate.contrasts(weights)
        self._rises = _studentised(rises.values, rises.errors)
        self._noise = _studentised(estimate.noise(seed, DRAWS) @ weights, rises.errors)
        self._units = estimate.units

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``inference.Inference``."""
        rises = self._rises / widths(self._units, more)
        rising = self._ordered(rises, self._noise, tail)
        falling = self._ordered(-rises, -self._noise, tail)
        low = _extreme_order(self._points, frozenset(rising), largest=True)
        high = _extreme_order(self._points, frozenset((j, i) for i, j in falling), largest=False)
        return _correlation(self._points, low), _correlation(self._points, high)

    def _ordered(self, rises: np.ndarray, noise: np.ndarray, tail: float) -> list[tuple[int, int]]:
        """The pairs (before, after) whose value certainly rises."""
        left = np.ones(len(rises), dtype=bool)
        while left.any():
            critical = np.quantile(noise[:, left].max(axis=1), 1 - tail)
            found = left & (rises > critical)
            if not found.any():
                break
            left &= ~found
        return [pair for pair, open_ in zip(self._pairs, left, strict=True) if not open_]


def _studentised(values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """values / errors; for a value without an error, infinity with its sign, or 0."""
    certain = np.where(values == 0, 0.0, np.copysign(np.inf, values))
    return np.divide(values, errors, out=np.broadcast_to(certain, values.shape).copy(), where=errors > 0)


def _correlation(points: int, squares: int) -> float:
    return 1 - 6 * squares / (points * (points**2 - 1))


@functools.lru_cache(maxsize=1024)
def _extreme_order(points: int, before: frozenset[tuple[int, int]], largest: bool) -> int:
    """Extreme sum of squared displacements of all orders in which each pair (lower, higher) of ``before`` is kept.

    Goes over the sets of the lowest points, size by size: only the set of placed points matters, not their order.
    """
    needed = np.zeros(points, dtype=np.int64)
    for lower, higher in before:
        needed[higher] |= 1 << lower
    masks, sums = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    for place in range(points):
        steps = []
        for point in range(points):
            bit = 1 << point
            free = (masks & bit == 0) & (masks & needed[point] == needed[point])
            steps.append((masks[free] | bit, sums[free] + (place - point) ** 2))
        reached = np.concatenate([mask for mask, _ in steps])
        total = np.concatenate([squares for _, squares in steps])
        order = np.lexsort((-total if largest else total, reached))
        reached, total = reached[order], total[order]
        first = np.concatenate([[True], reached[1:] != reached[:-1]])
        masks, sums = reached[first], total[first]
    return int(sums[0])


class LowestPoints:
    """Mean of a number over the ``count`` points with the lowest values, if the values are estimates.

    A point is certainly among the lowest if enough others are certainly higher, and certainly not if enough are
    certainly lower, by the errors of all pairs at once. The limits are the extremes over all sets that agree.

    Attributes:
        value: that of the points with the lowest estimates.
        lowest: these points, (count,), ascending.
    """

    finest = 1 / PAIR_DRAWS

    def __init__(self, estimate: Estimate, numbers: np.ndarray, count: int, seed: int) -> None:
        """``numbers`` (k,) are known without error."""
        self._numbers, self._count = numbers, count
        self.lowest = np.argsort(estimate.values, kind="stable")[:count]
        self.value = float(numbers[self.lowest].mean())
        covariance = estimate.influence.T @ estimate.influence
        variances = np.diag(covariance)
        # Rounding can make the variance of a difference of equals slightly negative.
        errors = np.sqrt(np.maximum(variances[:, None] + variances - 2 * covariance, 0))
        errors[errors <= 1e-7 * np.sqrt(np.maximum(variances[:, None], variances))] = 0
        self._apart = _studentised(estimate.values - estimate.values[:, None], errors)
        inverse = np.divide(1, errors, out=np.zeros_like(errors), where=errors > 0)
        noise = estimate.noise(seed, PAIR_DRAWS)
        self._units = estimate.units
        self._largest = np.array([((row - row[:, None]) * inverse).max() for row in noise])

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``inference.Inference``."""
        # [p, q]: q is higher than p.
        higher = self._apart / widths(self._units, more) > np.quantile(self._largest, 1 - tail)
        inside = higher.sum(axis=1) >= len(self._numbers) - self._count
        outside = higher.sum(axis=0) >= self._count
        open_ = np.sort(self._numbers[~inside & ~outside])
        free = self._count - int(inside.sum())
        known = self._numbers[inside].sum()
        low = known + open_[:free].sum()
        high = known + open_[len(open_) - free :].sum()
        return float(low / self._count), float(high / self._count)

"""Comparison of two curves at matched scores: how much a statistic differs between them at the same score.

Each curve is known only at the points of its grid. Between two points it is not measured, and the straight line is
biased: it lies above all values of a convex curve. The error depends on the curvature there. We assume that it lies
between the curvatures at the two points, each measured with its neighbours. So the curve between its points is bounded,
not known, and so is the difference of two curves: coarser grids give wider bounds, not false verdicts.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from lm_interpolation.statistics.inference import Estimate, beside, widths

SEPARATE = 2.0
"""The score of each knot exceeds that of the previous one by this many standard errors of the difference."""

SCORES = 65
"""Equidistant scores of the common range over which the difference is averaged."""

CURVE_DRAWS = 2000
"""Draws of both curves, for the standard deviation of their difference."""


@dataclass(frozen=True)
class Curve:
    """Score and statistic at the points of a sweep, in the order of the coordinate; both rest on the same units."""

    score: Estimate
    statistic: Estimate

    def knots(self) -> np.ndarray:
        """Indices of points along which the score rises: each certainly exceeds the previous one."""
        score = self.score
        kept = [0]
        for index in range(1, len(score.values)):
            gap = score.values[index] - score.values[kept[-1]]
            error = np.linalg.norm(score.influence[:, index] - score.influence[:, kept[-1]])
            if gap > SEPARATE * error:
                kept.append(index)
        return np.array(kept)


class MatchedDifference:
    """Mean difference, first minus second, of the statistics of two curves over the range of scores that both have.

    The range begins at ``start``, or with None at the score of point ``start_at`` of the second curve, but not before
    either curve begins. It ends where the first of the two ends. Each draw determines it anew.

    Attributes:
        value: in the middle of ``bounds``.
        bounds: lowest and highest value that the curves between their points allow, (low, high).
        scores: the range of scores, (low, high), empty (low >= high) if they have none in common.
    """

    # Limits follow from standard errors.
    finest = 0.0

    def __init__(self, first: Curve, second: Curve, start: float | None, start_at: int, seed: int) -> None:
        knots = [curve.knots() for curve in (first, second)]
        parts = [
            part
            for curve, chosen in zip((first, second), knots, strict=True)
            for part in (curve.score.take(chosen), curve.statistic.take(chosen))
        ]
        whole = beside([*parts, second.score.take(np.array([start_at]))])
        self._ends = np.cumsum([len(part.values) for part in parts])
        self._start = start
        self._freedom = whole.units - 1
        self.scores, self.bounds = self._compare(whole.values)
        self.value = sum(self.bounds) / 2
        draws = whole.values + whole.noise(seed, CURVE_DRAWS)
        results = np.array([self._compare(draw)[1] for draw in draws])
        defined = np.isfinite(results).all(axis=1)
        self.undefined = float(1 - defined.mean())
        # Half of the distance between quartiles, over that of Student's t, whose tails the draws have: a few of them
        # lie where a curve is all but vertical.
        low, high = np.quantile(results[defined], [0.25, 0.75], axis=0) if defined.any() else np.full((2, 2), np.nan)
        self._errors = (high - low) / 2 / stdtrit(self._freedom, 0.75)

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``inference.Inference``."""
        reach = stdtrit(self._freedom, 1 - tail) * self._errors * widths(self._freedom + 1, more)
        return float(self.bounds[0] - reach[0]), float(self.bounds[1] + reach[1])

    def _compare(self, values: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
        """The common range of scores, and the mean difference at least and at most (NaN: no range)."""
        first_score, first, second_score, second, (at_start,) = np.split(values, self._ends)
        start = at_start if self._start is None else self._start
        low = max(start, first_score[0], second_score[0])
        high = min(first_score.max(), second_score.max())
        if not low < high:
            return (low, high), (math.nan, math.nan)
        scores = np.linspace(low, high, SCORES)
        one, two = between(scores, first_score, first), between(scores, second_score, second)
        # The trapezoidal rule over equal steps.
        least, most = (
            float((gap.sum() - (gap[0] + gap[-1]) / 2) / (SCORES - 1)) for gap in (one[0] - two[1], one[1] - two[0])
        )
        return (low, high), (least, most)


def between(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest values at ``at`` (n,) of a curve through the points (``x``, ``y``), (k,).

    ``x`` rises, up to noise; ``at`` lies within it. In a gap between two points the curve differs from the straight
    line by (at - x_i) (at - x_i+1) c, where c lies between the divided differences of second order around the two
    points. This holds if the second derivative is monotone between their neighbours. A gap at the end has only one of
    them: c lies between 0 and twice that. With two points, values lie between the two. Values never exceed the two ends
    of a gap by more than these differ.
    """
    rising = np.concatenate([[True], x[1:] > np.maximum.accumulate(x)[:-1]])
    x, y = x[rising], y[rising]
    gap = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    slopes = np.diff(y) / np.diff(x)
    lower_end, upper_end = np.minimum(y[gap], y[gap + 1]), np.maximum(y[gap], y[gap + 1])
    if len(x) == 2:
        return lower_end, upper_end
    line = y[gap] + slopes[gap] * (at - x[gap])
    inner = np.diff(slopes) / (x[2:] - x[:-2])
    bends = np.stack([np.concatenate([[0], inner]), np.concatenate([inner, [0]])])
    # At the ends: none, or twice the one that is known.
    bends[1, 0], bends[0, -1] = 2 * inner[0], 2 * inner[-1]
    bulge = (at - x[gap]) * (at - x[gap + 1])
    values = np.sort(line + bends[:, gap] * bulge, axis=0)
    beyond = upper_end - lower_end
    return np.maximum(values[0], lower_end - beyond), np.minimum(values[1], upper_end + beyond)

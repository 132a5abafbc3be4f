"""Comparison of two curves at matched scores: how much a statistic of one differs where both have the same score.

Each curve is known at the points of its grid only. Between two of them it is not measured, and the straight line is
biased: of a convex curve it lies above all values. So a curve between two points is bounded by that line and the lines
through the neighbouring pairs of points, prolonged, within which it lies if it bends one way only from one neighbour to
the other; and the difference of two curves is bounded, not known. Coarser grids give wider bounds, not false verdicts.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from workflow.lib.inference import Estimate, beside

SEPARATE = 2.0
"""Standard errors of its difference by which the score of each knot exceeds that of the knot before."""

SCORES = 65
"""Equidistant scores of the common range over which the difference is averaged."""

CURVE_DRAWS = 400
"""Draws of both curves, of whose differences the standard deviation is taken."""


@dataclass(frozen=True)
class Curve:
    """Score and statistic at the points of a sweep, in the order of the coordinate; both rest on the same units."""

    score: Estimate
    statistic: Estimate

    def knots(self) -> np.ndarray:
        """Indices of the points along which the score rises: each exceeds the one before for certain."""
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

    The range begins at ``start``, or with None at the score of the second's point ``start_at``, but not below where
    either curve begins; it ends where the first of them ends. In each draw it is determined anew.

    Attributes:
        value: between straight lines through the points.
        bounds: lowest and highest value that the curves between their points allow, (low, high).
        scores: the range of scores, (low, high), empty (low >= high) where there is none in common.
    """

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
        found = self._compare(whole.values)
        self.scores, (self.value, *bounds) = found[0], found[1]
        self.bounds = (bounds[0], bounds[1])
        draws = whole.values + whole.noise(seed, CURVE_DRAWS)
        results = np.array([self._compare(draw)[1] for draw in draws])
        defined = np.isfinite(results).all(axis=1)
        self.undefined = float(1 - defined.mean())
        # Half of the distance between quartiles, of normal draws: a few draws lie where a curve is all but vertical.
        low, high = np.quantile(results[defined], [0.25, 0.75], axis=0) if defined.any() else np.full((2, 3), np.nan)
        spread = np.maximum((high - low) / 1.349, 0)
        # The draws have the tails of Student's t already, whose quartiles lie a little wider than the normal ones.
        self._errors = spread[1:] * 0.6745 / stdtrit(self._freedom, 0.75)

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``inference.Inference``."""
        reach = stdtrit(self._freedom, 1 - tail) * self._errors / math.sqrt(more)
        return float(self.bounds[0] - reach[0]), float(self.bounds[1] + reach[1])

    def _compare(self, values: np.ndarray) -> tuple[tuple[float, float], tuple[float, float, float]]:
        """The common range of scores, and the difference: by straight lines, at least, and at most (NaN: no range)."""
        first_score, first, second_score, second, (at_start,) = np.split(values, self._ends)
        start = at_start if self._start is None else self._start
        low = max(start, first_score[0], second_score[0])
        high = min(first_score.max(), second_score.max())
        if not low < high:
            return (low, high), (math.nan, math.nan, math.nan)
        scores = np.linspace(low, high, SCORES)
        one, two = between(scores, first_score, first), between(scores, second_score, second)
        differences = (one[0] - two[0], one[1] - two[2], one[2] - two[1])
        # The trapezoidal rule over equal steps.
        means = [(values.sum() - (values[0] + values[-1]) / 2) / (SCORES - 1) for values in differences]
        return (low, high), (float(means[0]), float(means[1]), float(means[2]))


def between(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values at ``at`` (n,) of a curve through the points (``x``, ``y``), (k,): on straight lines, lowest, highest.

    ``x`` rises, up to noise; ``at`` lies within it. Where a gap has no neighbour, the curve lies between its two ends.
    A prolonged line counts only so far beyond the two ends of a gap as these differ.
    """
    rising = np.concatenate([[True], x[1:] > np.maximum.accumulate(x)[:-1]])
    x, y = x[rising], y[rising]
    gap = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    slopes = np.diff(y) / np.diff(x)
    line = y[gap] + slopes[gap] * (at - x[gap])
    lower_end, upper_end = np.minimum(y[gap], y[gap + 1]), np.maximum(y[gap], y[gap + 1])
    beyond = upper_end - lower_end
    before, after = gap > 0, gap < len(slopes) - 1
    left = y[gap] + slopes[np.maximum(gap - 1, 0)] * (at - x[gap])
    right = y[gap + 1] + slopes[np.minimum(gap + 1, len(slopes) - 1)] * (at - x[gap + 1])
    # A side without a neighbour asks nothing.
    left, right = np.where(before, left, right), np.where(after, right, left)
    # On one side of the straight line the nearer of the two counts: beyond it the curve would bend twice.
    low = np.where((left <= line) & (right <= line), np.maximum(left, right), np.minimum(left, right))
    high = np.where((left >= line) & (right >= line), np.minimum(left, right), np.maximum(left, right))
    alone = ~before & ~after
    low = np.where(alone, lower_end, np.maximum(np.minimum(low, line), lower_end - beyond))
    high = np.where(alone, upper_end, np.minimum(np.maximum(high, line), upper_end + beyond))
    return line, low, high

"""The claim that a statistic rises, or falls, along a line."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.curves import line_curve
from lm_interpolation.claims.data import ClaimData, Measured, NotTested, sign
from lm_interpolation.statistics.orderings import MOST_POINTS, RankCorrelation


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Spearman correlation of the statistic with the coordinate within a range, negated for ``falling``."""
    curve = line_curve(data, spec)
    points = len(curve.at)
    if points < 3:
        raise NotTested(f"a correlation needs 3 points in the range; {spec['sweep']} has {points}")
    if points > MOST_POINTS:
        raise NotTested(f"a correlation is tested for up to {MOST_POINTS} points; {spec['sweep']} has {points} there")
    rising = curve.estimate.contrasts(np.eye(points) * sign(spec["direction"], "rising"))
    return Measured(
        RankCorrelation(rising, data.seed),
        f"points: {points}",
        curve.estimate.units,
        curve.unit,
        instead="points that lie too near each other to be told apart",
        least=-1,
        most=1,
    )

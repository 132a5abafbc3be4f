"""The claim that the lowest values on a plane lie along a straight line."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.curves import loss_curve, sweep_curve
from lm_interpolation.claims.data import ClaimData, Measured, compact
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.statistics.orderings import LowestPoints
from lm_interpolation.tables.tables import grid_mask


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean of |sum of the coordinates - ``sum``| over the share ``lowest`` of grid points with the lowest values.

    That is the mean distance of these points from the line. The distance of their mean would be 0 for points on both
    sides.
    """
    if "analysis" in spec:
        curve = loss_curve(data, spec, spec["statistic"])
    else:
        curve = sweep_curve(data, spec["sweep"], spec["prompts"], spec["scorer"], spec["statistic"])
    if curve.coordinates.shape[1] != 2:
        raise UserError(f"has {curve.coordinates.shape[1]} coordinates; name a sweep or an analysis with two")
    grid = grid_mask(curve.coordinates)  # an anchor would pull the mean to itself
    sums = curve.coordinates[grid].sum(axis=1)
    distances = np.abs(sums - spec["sum"])
    # Rounding must not add a point: 0.07 * 100 is 7.000000000000001.
    count = max(1, math.ceil(round(spec["lowest"] * len(sums), 9)))
    valley = LowestPoints(curve.estimate.take(grid), distances, count, data.seed)
    note = f"mean sum {compact(sums[valley.lowest].mean())}; lowest points: {count} of {len(sums)}"
    note += f"; mean distance of all: {compact(distances.mean())}"
    return curve.measured(valley, note, least=0)

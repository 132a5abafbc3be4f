"""The claim that a statistic lies above, or below, both ends in the middle of a line."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.curves import line_curve
from lm_interpolation.claims.data import ClaimData, Measured, NotTested, sign
from lm_interpolation.statistics.inference import MaxDifference


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """How far every point in the middle lies above the higher end, or below the lower end; < 0 if one does not."""
    low, high = spec["within"]
    curve = line_curve(data, spec, within=(min(low, 0), max(high, 1)))
    ends, middle = np.flatnonzero((curve.at == 0) | (curve.at == 1)), curve.part(low, high)
    if len(ends) < 2 or not len(middle):
        raise NotTested(f"{spec['sweep']} has no point at 0, at 1, or in [{low:g}, {high:g}]")
    vectors = np.eye(len(curve.at)) * sign(spec["sign"], "above")
    # The least height over all pairs is minus the largest depth.
    depths = np.hstack([vectors[:, [end]] - vectors[:, middle] for end in ends])
    height = MaxDifference(curve.estimate, depths, seed=data.seed, negative=True)
    least = curve.at[middle][height.largest % len(middle)]
    return curve.measured(height, f"least at {least:g}; points in the middle: {len(middle)}")

"""The claim that two lines almost coincide."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.curves import both_curves, line_curve
from lm_interpolation.claims.data import ClaimData, Measured, NotTested, compact
from lm_interpolation.statistics.inference import MaxDifference


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """max |difference| of a statistic (its log) between two sweeps, over the coordinates that they share in a range."""
    one, other = line_curve(data, spec), line_curve(data, spec, sweep=spec["other"])
    at, first, second = np.intersect1d(one.at, other.at, return_indices=True)
    if not len(at):
        raise NotTested(f"{spec['sweep']} and {spec['other']} share no coordinate in the range")
    both = both_curves(one, other, [spec["sweep"], spec["other"]])
    vectors = np.eye(len(both.values))
    gaps = vectors[:, first] - vectors[:, len(one.at) + second]
    largest = MaxDifference(both, np.hstack([gaps, -gaps]), seed=data.seed, floor=0.0)
    seen = compact(float(np.abs(both.values @ gaps).max()))
    where = at[largest.largest % len(at)]
    return one.measured(largest, f"largest seen: {seen} at {where:g}; shared points: {len(at)}", least=0)

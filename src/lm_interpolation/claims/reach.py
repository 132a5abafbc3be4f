"""The claim that one line reaches as high a statistic as another."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.curves import both_curves, line_curve
from lm_interpolation.claims.data import ClaimData, Measured, compact
from lm_interpolation.statistics.inference import MaxDifference


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Highest value of a statistic over all coordinates of ``sweep``, minus the highest over those of ``than``."""
    names = [spec["sweep"], spec["than"]]
    one, than = (line_curve(data, {**spec, "sweep": name}) for name in names)
    both = both_curves(one, than, names)
    weights = np.eye(len(both.values))
    reach = MaxDifference(both, weights[:, : len(one.at)], weights[:, len(one.at) :], seed=data.seed)
    shown = (f"{compact(curve.values.max())} at {curve.at[curve.values.argmax()]:g}" for curve in (one, than))
    return one.measured(reach, f"highest: {', of the other '.join(shown)}")

"""The claim that a statistic gets no worse beyond the models of a line."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.curves import line_curve
from lm_interpolation.claims.data import ClaimData, Measured, NotTested, sign
from lm_interpolation.statistics.inference import MaxDifference


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """By how much the worst value within a range is worse than the worst in [0, 1]; 0 if it is not worse."""
    low, high = spec["within"]
    curve = line_curve(data, spec, within=(min(low, 0), max(high, 1)))
    reference, tested = curve.part(0, 1), curve.part(low, high)
    if not len(reference) or not len(tested):
        raise NotTested(f"{spec['sweep']} has no point in [0, 1] or none in [{low:g}, {high:g}]")
    bad = curve.estimate.contrasts(np.eye(len(curve.at)) * sign(spec["worse"], "higher"))
    vectors = np.eye(len(curve.at))
    excess = MaxDifference(bad, vectors[:, tested], vectors[:, reference], seed=data.seed, floor=0.0)
    return curve.measured(excess, f"worst at {curve.at[tested][excess.largest]:g}; points: {len(tested)}", least=0)

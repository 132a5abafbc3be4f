"""The claim that a line has no barrier of perplexity."""

from collections.abc import Mapping
from typing import Any

from lm_interpolation.analyses.barriers import measure_barrier
from lm_interpolation.claims.curves import SweepCurve, line_curve
from lm_interpolation.claims.data import ClaimData, Measured, NotTested, compact
from lm_interpolation.tables.tables import height_above_chord


def barrier_of(curve: SweepCurve, seed: int) -> Measured:
    inside = curve.part(0, 1)
    at = curve.at[inside]
    if len(at) < 3 or at[0] != 0 or at[-1] != 1:
        raise NotTested("a barrier needs values at 0, at 1, and between")
    estimate = curve.estimate.take(inside)
    barrier = measure_barrier(estimate, at, seed)
    height = compact(float(height_above_chord(at, estimate.values)[1:-1].max()))
    note = f"highest point: {height} at {at[1 + barrier.largest]:g}; points in [0, 1]: {len(at)}"
    return curve.measured(barrier, note, least=0)


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """max over [0, 1] of log perplexity - its chord, in nats per token."""
    statistic = data.barriers[spec["scorer"]]
    return barrier_of(line_curve(data, spec, statistic=statistic, scale="log", within=(0, 1)), data.seed)

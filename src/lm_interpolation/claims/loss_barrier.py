"""The claim that a line has no barrier of the loss on held-out text."""

from collections.abc import Mapping
from typing import Any

from lm_interpolation.claims.barrier import barrier_of
from lm_interpolation.claims.curves import loss_curve
from lm_interpolation.claims.data import ClaimData, Measured
from lm_interpolation.jobs.runtime import UserError


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """max over [0, 1] of the NLL per token - its chord, in nats (Frankle et al. 2020, against the chord)."""
    curve = loss_curve(data, spec, "nll_token")
    if curve.coordinates.shape[1] != 1:
        raise UserError(f"analysis {spec['analysis']} runs over a plane; name one along a line")
    return barrier_of(curve, data.seed)

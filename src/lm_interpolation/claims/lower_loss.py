"""The claim that one point has a lower loss than another."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.data import ClaimData, Measured, compact
from lm_interpolation.claims.mean_losses import mean_losses
from lm_interpolation.statistics.inference import beside
from lm_interpolation.statistics.shares import Contrast


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean loss at a point minus that at another one, on the same texts, in nats per text or per token."""
    both = []
    for key in ("point", "than"):
        losses = mean_losses(data, [spec[key]["analysis"]], spec["statistic"], spec.get("class"))
        both.append(losses.estimate.take(np.array([losses.place(spec[key]["at"])])))
    pair = beside(both)
    one, other = map(compact, pair.values)
    return Measured(Contrast(pair, [1, -1], data.seed), f"{one} against {other}", pair.units, "texts")

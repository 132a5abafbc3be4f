"""The claim that the barrier of one line is a small part of that of another."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.data import ClaimData, Measured, NotTested, compact
from lm_interpolation.claims.mean_losses import mean_losses
from lm_interpolation.statistics.inference import Estimate, beside
from lm_interpolation.statistics.shares import Share


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Height of the NLL per token above the chord from 0 to 1 at a coordinate, over that of another line.

    Both rest on the same texts; the interval of the ratio is Fieller's (see ``statistics.shares``).
    """
    height, other = (_height(data, spec[key], spec.get("class"), spec["coordinate"]) for key in ("analysis", "other"))
    both = beside([height, other])
    note = f"heights: {compact(float(both.values[0]))} against {compact(float(both.values[1]))}"
    if both.values[1] == 0:
        raise NotTested(f"the other line has no barrier ({note})")
    # A ratio is the share of a way that starts at 0, which is certain.
    ratio = Share(
        Estimate(
            np.array([0.0, *both.values]),
            np.column_stack([np.zeros(len(both.influence)), both.influence]),
            both.units,
        )
    )
    if not ratio.clear():
        raise NotTested(f"the other line's barrier does not differ from 0 beyond chance ({note})")
    return Measured(ratio, note, both.units, "texts")


def _height(data: ClaimData, analysis: str, class_name: str | None, at: float) -> Estimate:
    losses = mean_losses(data, [analysis], "nll_token", class_name)
    (name,) = losses.names
    places = [losses.place({name: value}) for value in (at, 0, 1)]
    return losses.estimate.take(np.array(places)).contrasts(np.array([[1.0], [at - 1], [-at]]))

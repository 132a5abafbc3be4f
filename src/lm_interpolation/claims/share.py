"""The claim that a point of a sweep keeps (or recovers) a share of what lies between two others."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.curves import sweep_curve
from lm_interpolation.claims.data import ClaimData, Measured, NotTested, compact
from lm_interpolation.claims.mean_losses import mean_losses, place_of
from lm_interpolation.statistics.inference import Estimate
from lm_interpolation.statistics.shares import Share


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """(value at ``at`` - value at ``from``) / (value at ``to`` - value at ``from``), of a loss or of a score.

    All three are points of one sweep and rest on the same texts or prompts.
    """
    estimate, names, coordinates, unit = _values(spec, data)
    places = np.array([place_of(names, coordinates, spec[key]) for key in ("from", "at", "to")])
    three = estimate.take(places)
    start, value, end = map(compact, three.values)
    note = f"{start} at the start, {end} at the end, {value} at the point"
    if three.values[0] == three.values[2]:
        raise NotTested(f"start and end have the same value, so there is no way between them ({note})")
    share = Share(three)
    if not share.clear():
        raise NotTested(f"start and end do not differ beyond chance, so a share of the way has no limits ({note})")
    return Measured(share, note, three.units, unit)


def _values(spec: Mapping[str, Any], data: ClaimData) -> tuple[Estimate, list[str], np.ndarray, str]:
    """(values, names of the coordinates, coordinates, unit) of all points of the sweep."""
    if "analysis" in spec:
        losses = mean_losses(data, [spec["analysis"]], spec["statistic"], spec.get("class"))
        return losses.estimate, losses.names, losses.coordinates, "texts"
    curve = sweep_curve(data, spec["sweep"], spec["prompts"], spec["scorer"], spec["statistic"])
    return curve.estimate, list(data.sweeps[spec["sweep"]].coordinates), curve.coordinates, curve.unit

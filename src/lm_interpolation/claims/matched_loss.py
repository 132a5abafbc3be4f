"""The claim that one line costs less general loss than another at equal loss on its target."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lm_interpolation.claims.data import ClaimData, Measured, NotTested, compact
from lm_interpolation.claims.mean_losses import mean_losses
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.statistics.matched import Curve, MatchedDifference
from lm_interpolation.statistics.shares import apart


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean of the general loss of ``method`` minus that of ``baseline``, over the losses on the target that both reach.

    On each line only coordinates >= 0 count, and only points whose target loss is below that of the previous one. The
    range ends at the target loss of ``baseline`` at its smallest coordinate. See ``matched.MatchedDifference``.
    """
    curves, units = [], []
    for key in ("method", "baseline"):
        found = [mean_losses(data, [spec[key][what]], spec["statistic"]) for what in ("target", "general")]
        if found[0].coordinates.shape[1] != 1:
            raise UserError(f"analysis {spec[key]['target']} runs over a plane; name one along a line")
        if not np.array_equal(found[0].coordinates, found[1].coordinates):
            raise UserError(f"analyses {spec[key]['target']} and {spec[key]['general']} are not along the same sweep")
        right = np.flatnonzero(found[0].coordinates[:, 0] >= 0)
        if len(right) < 2:
            raise NotTested(f"the sweep of {spec[key]['target']} has fewer than two coordinates from 0 up")
        target, general = apart([losses.estimate.take(right) for losses in found])
        # A lower loss is a higher score.
        score = replace(target, values=-target.values, influence=-target.influence)
        curves.append(Curve(score, general))
        units.append(min(target.units, general.units))
    found_difference = MatchedDifference(curves[0], curves[1], None, 0, data.seed)
    low, high = (compact(-value) for value in reversed(found_difference.scores))
    shown = f"losses on the target from {low} to {high}"
    if math.isnan(found_difference.value):
        raise NotTested(f"the two lines share no range of losses on the target ({shown})")
    least, most = map(compact, found_difference.bounds)
    return Measured(
        found_difference,
        f"{shown}; as the lines between their points are not known, the mean may be {least} to {most}",
        min(units),
        "texts",
        found_difference.undefined,
        "finer grids of both sweeps would say more",
    )

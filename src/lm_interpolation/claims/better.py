"""The claim that one line has better texts than another at equal score."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.curves import both_curves, line_curve
from lm_interpolation.claims.data import ClaimData, Measured, NotTested, compact
from lm_interpolation.statistics.matched import Curve, MatchedDifference


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean difference of a statistic between two sweeps at equal score: ``sweep`` minus ``than``.

    On each curve only the branch with coordinate >= 0 counts, and only points whose score exceeds the previous point's.
    The range of scores begins at ``from_score``; without this key it begins at the score of ``than`` at coordinate 1
    (on theta_1 the fine-tuned model itself). It never begins below the start of either curve, and it ends at the
    smaller of the two highest scores. See ``matched.MatchedDifference``.
    """
    names = [spec["sweep"], spec["than"]]
    branch = {"within": (0, math.inf)}
    statistics = [line_curve(data, {**spec, **branch}, sweep=name) for name in names]
    scores = [line_curve(data, {**spec, **spec["score"], **branch, "sweep": name, "scale": "linear"}) for name in names]
    at_one = np.flatnonzero(scores[1].at == 1)
    if "from_score" not in spec and not len(at_one):
        raise NotTested(
            f"{spec['than']} has no point at coordinate 1, where the range of scores begins; set from_score"
        )
    for score, name in zip(scores, names, strict=True):
        both_curves(score, scores[0], [name, names[0]])
    curves = [Curve(score.estimate, found.estimate) for score, found in zip(scores, statistics, strict=True)]
    start = int(at_one[0]) if len(at_one) else 0
    found = MatchedDifference(curves[0], curves[1], spec.get("from_score"), start, data.seed)
    begin, end = map(compact, found.scores)
    shown = f"scores from {begin} to {end}"
    if math.isnan(found.value):
        raise NotTested(f"the two curves share no range of scores ({shown})")
    least, most = map(compact, found.bounds)
    note = f"{shown}; as the curves between their points are not known, the mean may be {least} to {most}"
    return Measured(
        found,
        note,
        min(curve.estimate.units for curve in (*statistics, *scores)),
        "prompts",
        found.undefined,
        "finer grids of both sweeps would say more",
    )

"""What a figure of regions shows: which kind of points has the lower loss."""

import os
from collections.abc import Mapping, Sequence

from lm_interpolation.analyses.region_tables import HULL, INSIDE, OUTSIDE, read_region, read_superiority
from lm_interpolation.figures.phrases import Value, counted
from lm_interpolation.figures.region_data import pooled
from lm_interpolation.scores.judges import Judge
from lm_interpolation.statistics.inference import LEAST_UNITS

_WORDS = {
    f"{HULL}-{OUTSIDE}": "points of the hull against those outside",
    f"{HULL}-{INSIDE}": "points of the hull against models of the group",
    f"{INSIDE}-{OUTSIDE}": "models of the group against points outside",
}


def find_region(
    paths: Sequence[str | os.PathLike[str]], judges: Mapping[str, Judge], *, levels: Sequence[str]
) -> list[str]:
    """A sentence on each level: the probability PB of the lower loss for each pair of kinds, and what it shows.

    ``paths`` are the tables of losses and of PB, level by level.
    """
    found = []
    for level, path, other in zip(levels, paths[::2], paths[1::2], strict=True):
        losses, comparison = read_region(path), read_superiority(other)
        models = losses[losses["kind"] == INSIDE].drop_duplicates("point")
        groups, data = models["group"].nunique(), losses["data"].nunique()
        told = [f"{value} of {_WORDS[pair]}{_shown(value)}" for pair, value in pooled(comparison).items()]
        sizes = f"{counted(len(models), 'model')}, {counted(groups, 'group')}, {counted(data, 'data set')}"
        found.append(f"{level} ({sizes}): the probability of the lower loss is {'; '.join(told)}.")
        if len(models) < LEAST_UNITS:
            found.append(f"{level}: intervals rest on {counted(len(models), 'model')} only, too few for a verdict.")
    return [*found, "PB counts pairs on one data set and is the mean over data sets and groups; 0.5 is no difference."]


def _shown(value: Value) -> str:
    if value.low > 0.5:
        return ", lower beyond chance"
    return ", higher beyond chance" if value.high < 0.5 else ", no difference shown"

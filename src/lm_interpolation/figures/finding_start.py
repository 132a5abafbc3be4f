"""What a figure of starts shows: the mean gain of each panel over its targets, and how many gain."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from lm_interpolation.figures.phrases import Value, counted, number
from lm_interpolation.figures.start_data import losses_of, read_model_losses
from lm_interpolation.scores.judges import Judge
from lm_interpolation.statistics.inference import LEAST_UNITS
from lm_interpolation.statistics.paired_targets import gains, interval


def find_start(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
    *,
    panels: Sequence[Mapping[str, Any]],
    statistic: str,
    seed: int,
) -> list[str]:
    """A sentence per panel, and one on what the intervals rest on."""
    tables = [read_model_losses(path) for path in paths]
    told, counts = [], []
    for panel in panels:
        pairs = losses_of(tables, panel, statistic)
        found = gains(pairs)
        mean = Value(*interval(pairs, seed))
        names = [target["name"] for target in panel["targets"]]
        verdict = (
            "the centroid is the better start"
            if mean.low > 0
            else "the base is the better start"
            if mean.high < 0
            else "no difference shown"
        )
        most, least = (f"{names[place]} ({number(float(found[place]))})" for place in (found.argmax(), found.argmin()))
        told.append(
            f"{panel['label']}: from the centroid the loss ({statistic}) is lower by {mean} nats, mean of "
            f"{counted(len(names), 'target')}: {verdict}. It is lower for {int((found > 0).sum())} of them, most for "
            f"{most} and least for {least}."
        )
        counts.append(len(names))
    rest = "Intervals are over targets; what seeds and texts add is in the spread of the targets."
    if min(counts) < LEAST_UNITS:
        rest += f" {min(counts)} targets are too few for a verdict."
    return [*told, rest]

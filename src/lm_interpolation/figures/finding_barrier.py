"""What a figure of barriers shows: which lines have one."""

import math
import os
from collections.abc import Mapping, Sequence

from lm_interpolation.figures.naming import prompts_label
from lm_interpolation.figures.phrases import Value, number
from lm_interpolation.scores.judges import Judge
from lm_interpolation.tables.analysis_tables import read_barriers


def find_barrier(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
    *,
    sweep_labels: Mapping[str, str],
) -> list[str]:
    """One sentence each on lines with a barrier, with none shown, without an interval, and not measured."""
    table = read_barriers(paths[0])
    shown, none, unknown, unmeasured = [], [], [], []
    for _, row in table[table["row"] == "barrier"].iterrows():
        if row["quantity"] == "loss":
            what = f"loss of {row['class']} texts" if row["class"] else "loss"
        else:
            what = f"perplexity, {prompts_label(row['prompts'])}"
        name = f"{sweep_labels[row['sweep']]} ({what})"
        value = Value.of(row)
        if math.isnan(value.estimate):
            unmeasured.append(name)
        elif not value.has_interval:
            unknown.append(f"{name}: {value}")
        elif value.low > 0:
            shown.append(f"{name}: {value} at {number(row['coordinate'])}")
        else:
            none.append(f"{name}: {value}")
    found = [f"Barrier in nats per token, interval above 0: {'; '.join(shown)}."] if shown else []
    found += [f"No barrier shown, the interval reaches 0: {'; '.join(none)}."] if none else []
    found += [f"Without an interval: {'; '.join(unknown)}."] if unknown else []
    found += [f"Not measured, no point between 0 and 1: {'; '.join(unmeasured)}."] if unmeasured else []
    return found

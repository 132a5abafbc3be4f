"""What a figure of searches shows: the chosen trial, against the configured one and the runner-up."""

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from lm_interpolation.figures.phrases import counted, listed, number
from lm_interpolation.scores.judges import Judge
from lm_interpolation.tables.tables import read_table

_SETTINGS = {"learning_rate": "learning rate", "batch_size": "batch size", "steps": "steps"}


def find_search(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
) -> list[str]:
    """A sentence per search."""
    found = [_search(read_table(path, ["dev_loss", "dev_perplexity"])) for path in paths]
    return [*found, "One run per trial, no intervals: small differences show nothing."]


def _search(table: pd.DataFrame) -> str:
    name, known = table["search"].iloc[0], table[table["dev_perplexity"].notna()].sort_values("dev_perplexity")
    lost = counted(len(table) - len(known), "trial")
    if known.empty:
        return f"{name}: all of {lost} diverged."
    best = known.iloc[0]
    told = [f"{name}: lowest dev perplexity {number(best['dev_perplexity'])} with {_settings(best)}"]
    if len(known) > 1:
        told.append(f"then {number(known.iloc[1]['dev_perplexity'])} with {_settings(known.iloc[1])}")
    configured = known[known["configured"]]
    if len(configured) and configured.index[0] != best.name:
        told.append(f"the configured trial has {number(configured.iloc[0]['dev_perplexity'])}")
    elif len(configured):
        told.append("it is what the study's model was trained with")
    ends = [
        f"the {'largest' if best[key] == table[key].max() else 'smallest'} {'number of ' * (key == 'steps')}{word}"
        for key, word in _SETTINGS.items()
        if table[key].nunique() > 1 and best[key] in (table[key].min(), table[key].max())
    ]
    if ends:
        told.append(f"at the edge of the grid ({listed(ends)}), beyond which nothing was tried")
    if len(known) < len(table):
        told.append(f"{lost} diverged")
    return f"{'; '.join(told)}."


def _settings(row: pd.Series) -> str:
    return ", ".join(f"{word} {number(row[key])}" for key, word in _SETTINGS.items())

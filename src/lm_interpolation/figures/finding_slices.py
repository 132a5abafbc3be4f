"""What slices of a plane show: how a statistic changes along each of them, and how far the slices lie apart."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lm_interpolation.figures.naming import coordinate_text, prompts_label
from lm_interpolation.figures.phrases import Value, change, few_prompts, labels
from lm_interpolation.figures.slices import slices
from lm_interpolation.scores.judges import Judge, marked
from lm_interpolation.tables.tables import read_table


def find_slices(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
    *,
    prompts: str,
    along: str,
    panels: Sequence[Mapping[str, Any]],
    coordinate_labels: Mapping[str, str],
) -> list[str]:
    """A sentence per panel: what the statistic does from one end of each slice to the other."""
    across, tables = slices(read_table(paths[0]), prompts, along)
    names = labels([along, across], coordinate_labels)
    found = []
    for panel in (marked(panel, judges) for panel in panels):
        told = [
            f"at {coordinate_text(names[across], value)}: {_ends(table, panel, along, names[along])}"
            for value, table in tables.items()
        ]
        found.append(f"{panel['label']} along {names[along]}, {prompts_label(prompts)}. {_capital('; '.join(told))}.")
    return found + few_prompts(tables.values())


def _ends(table: pd.DataFrame, panel: Mapping[str, Any], along: str, name: str) -> str:
    chosen = (table["scorer"] == panel["scorer"]) & (table["statistic"] == panel["statistic"])
    rows = table[chosen].sort_values(along)
    first, last = rows.iloc[0], rows.iloc[-1]
    start, end = (coordinate_text(name, float(row[along])) for row in (first, last))
    return change(Value.of(first), Value.of(last), start, end)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]

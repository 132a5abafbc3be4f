"""What a figure of methods shows: the highest score of each, and what it costs there."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lm_interpolation.figures.methods_data import methods_curves
from lm_interpolation.figures.naming import coordinate_text, prompts_label
from lm_interpolation.figures.phrases import Value, few_prompts
from lm_interpolation.scores.judges import Judge, marked
from lm_interpolation.tables.tables import read_table


def find_methods(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
    *,
    sweeps: Sequence[Mapping[str, Any]],
    prompts: str,
    score: Mapping[str, Any],
    across: Sequence[Mapping[str, Any]],
    coordinate_labels: Mapping[str, str],
) -> list[str]:
    """A sentence per panel: for each curve its highest score, where that is, and the other statistic there."""
    tables = [read_table(path) for path in paths]
    score = marked(score, judges)
    found = []
    for axis in (marked(axis, judges) for axis in across):
        curves = methods_curves(tables, sweeps, prompts, score, axis, coordinate_labels)
        told = "; ".join(f"{curve['label']}: {_highest(curve)}" for curve in curves)
        what = f"Highest {score['label']} of each curve, {prompts_label(prompts)}, and {axis['label']} there"
        found.append(f"{what}. {told}.")
    return found + few_prompts(tables[: len(sweeps)])


def _highest(curve: Mapping[str, Any]) -> str:
    points = curve["points"]
    known = points[points["y"].notna()]
    if known.empty:
        return "no value"
    row = known.loc[known["y"].idxmax()]
    at = coordinate_text(curve["coordinate"], row["at"])
    return f"{_value(row, 'y')} at {at}, with {_value(row, 'x')}"


def _value(row: pd.Series, name: str) -> Value:
    return Value(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))

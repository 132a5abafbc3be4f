"""What a figure of linearity shows: how well the first-order expansion holds, and how far."""

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from lm_interpolation.figures.phrases import labels, number
from lm_interpolation.scores.judges import Judge
from lm_interpolation.tables.tables import read_table

_SUMMARY = ["c1", "c2", "r2", "r2_unit", "tolerance", "share_within", "reach"]


def find_linearity(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
    *,
    coordinate_labels: Mapping[str, str],
) -> list[str]:
    """A sentence per quantity, from the summary (the second table)."""
    table, summary = (
        read_table(path, ["value", "prediction", "change", "error", "relative_error", *_SUMMARY]) for path in paths
    )
    columns = list(table.columns)
    names = labels(columns[columns.index("sweep") + 1 : columns.index("point")], coordinate_labels)
    square = ", ".join(f"|{label}|" for label in names.values())
    found = [_quantity(row, square) for _, row in summary.iterrows()]
    return [*found, "Computed on fixed prompts and these very models: no intervals."]


def _quantity(row: pd.Series, square: str) -> str:
    within = f"{100 * row['share_within']:.3g} % of the points"
    reach = f"at all with {square} ≤ {number(row['reach'])}" if row["reach"] > 0 else "in no square around the origin"
    explained = (
        f"explains {number(row['r2'])} of the variance over the plane (R²), {number(row['r2_unit'])} for {square} ≤ 1"
    )
    error = f"the error is at most {100 * row['tolerance']:.3g} % at {within}, {reach}"
    return f"{row['quantity']}: the expansion {explained}; {error}."

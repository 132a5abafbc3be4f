"""What a plane shows: where a quantity is smallest and largest, and whether the difference is more than noise."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lm_interpolation.figures.naming import prompts_label
from lm_interpolation.figures.phrases import Value, counted, extremes, few_prompts, labels, where
from lm_interpolation.figures.plane_data import panel_data
from lm_interpolation.scores.judges import Judge, marked
from lm_interpolation.tables.tables import read_table


def find_plane(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
    *,
    coordinates: Sequence[str],
    panels: Sequence[Mapping[str, Any]],
    markers: Sequence[Mapping[str, Any]],
    coordinate_labels: Mapping[str, str],
) -> list[str]:
    """A sentence per panel."""
    tables = [read_table(path) for path in paths]
    x, y = coordinates
    names = labels(coordinates, coordinate_labels)
    found = []
    for panel in (marked(panel, judges) for panel in panels):
        data = panel_data(tables, panel, (x, y))
        whose = f", {prompts_label(panel['prompts'])}" if panel.get("prompts") else ""
        log = panel["scale"] == "log"
        found.append(
            f"{panel['label']}{whose}. {_extremes(data, names, log)}{_markers(data, markers)}{_missing(data)}."
        )
    return found + few_prompts(tables)


def _extremes(data: pd.DataFrame, names: dict[str, str], log: bool) -> str:
    ends = extremes(data, log)
    if ends is None:
        return "No point has a value"
    least, most, shown = ends
    told = f"Lowest {Value.of(least)} at {where(least, names)}, highest {Value.of(most)} at {where(most, names)}"
    among = counted(int(data["estimate"].notna().sum()), "point")
    if shown is None:
        return f"{told}, of {among} without intervals: no difference shown"
    if not shown:
        return f"{told}: chance alone may part the extremes of {among} with such intervals, no difference shown"
    return f"{told}: further apart than chance puts the extremes of {among}"


def _markers(data: pd.DataFrame, markers: Sequence[Mapping[str, Any]]) -> str:
    """The values at those markers that are points of the plane."""
    told = []
    for marker in markers:
        there = data
        for coordinate, value in dict(marker["at"]).items():
            there = there[there[coordinate].map(lambda found, value=value: math.isclose(found, value, abs_tol=1e-9))]
        told += [f"{marker['label']} {Value.of(row)}" for _, row in there.iterrows()]
    return f". {', '.join(told)}" if told else ""


def _missing(data: pd.DataFrame) -> str:
    missing = int(data["estimate"].isna().sum())
    return f". {counted(missing, 'point')} without a value" if missing else ""

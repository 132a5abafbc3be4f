"""What a figure of curves shows: from one end to the other, and over the whole sweep."""

import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lm_interpolation.figures.mean_curves import Trainings, mean_rows, together
from lm_interpolation.figures.naming import coordinate_text, prompts_label
from lm_interpolation.figures.phrases import (
    Value,
    apart,
    between,
    change,
    counted,
    describe_range,
    few_prompts,
    labels,
    listed,
    number,
)
from lm_interpolation.scores.judges import Judge, marked
from lm_interpolation.tables.tables import coordinate_columns, read_table


def find_curves(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
    *,
    sweeps: Sequence[str],
    panels: Sequence[Mapping[str, Any]],
    overlay: bool,
    cost: bool,
    coordinate_labels: Mapping[str, str],
    sweep_labels: Mapping[str, str],
    trainings: Trainings | None = None,
) -> list[str]:
    """A sentence per panel, sweep and set of prompts; for overlaid sweeps, one sentence per panel.

    Values of a sweep of families, which has several of ``sweeps`` as ``trainings``, are means over these, and their
    intervals are over prompts and trainings.
    """
    read = [read_table(path) for path in paths[: len(sweeps)]]
    lines = together(read, trainings or {})
    said = {
        name: f"{sweep_labels[name]}{f' (mean of {len(parts)} trainings)' if len(parts) > 1 else ''}"
        for name, parts in lines
    }
    found = []
    for panel in (marked(panel, judges) for panel in panels):
        tell = _trade_off if panel.get("x") else _curve
        tables = [_means(parts, panel) for _, parts in lines]
        if overlay:
            common = set.intersection(*(set(table["prompts"]) for table in tables))
            parts = [table[table["prompts"].isin(common)] for table in tables]
            told = [
                f"along {name}: {tell(part, panel, coordinate_labels)}"
                for name, part in zip(said.values(), parts, strict=True)
            ]
            told += [] if panel.get("x") else _compare(parts, panel, coordinate_labels)
            found.append(_sentence(f"{panel['label']}, {', '.join(map(prompts_label, sorted(common)))}", told))
            continue
        for name, table in zip(said.values(), tables, strict=True):
            told = [
                f"with {prompts_label(str(prompts))}: {tell(part, panel, coordinate_labels)}"
                for prompts, part in table.groupby("prompts", sort=False)
            ]
            found.append(_sentence(f"{panel['label']} along {name}", told))
    if cost:
        # After the tables of the sweeps.
        found.append(_cost(pd.read_csv(paths[len(sweeps)])))
    return found + few_prompts(part for table in read for _, part in table.groupby("prompts"))


def _means(parts: Sequence[pd.DataFrame], panel: Mapping[str, Any]) -> pd.DataFrame:
    """The table of a line, or of the means over its trainings of what a panel shows."""
    if len(parts) == 1:
        return parts[0]
    shown = [one for one in (panel, panel.get("x")) if one]
    return pd.concat([mean_rows([_of(part, one) for part in parts], one.get("scale", "linear")) for one in shown])


def _of(table: pd.DataFrame, statistic: Mapping[str, Any]) -> pd.DataFrame:
    return table[(table["scorer"] == statistic["scorer"]) & (table["statistic"] == statistic["statistic"])]


def _sentence(what: str, told: Sequence[str]) -> str:
    text = "; ".join(told)
    return f"{what}. {text[0].upper()}{text[1:]}."


def _rows(table: pd.DataFrame, statistic: Mapping[str, Any]) -> pd.DataFrame:
    (coordinate,) = coordinate_columns(table)
    return _of(table, statistic).sort_values(coordinate).reset_index(drop=True)


def _curve(table: pd.DataFrame, panel: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """From coordinate 0 to 1, or between the ends of a sweep that lacks them, and the range of all if it goes on."""
    (coordinate,) = coordinate_columns(table)
    name = labels([coordinate], known)[coordinate]
    rows = _rows(table, panel)
    values = rows[coordinate]
    if len(rows) == 1:
        return f"{Value.of(rows.iloc[0])} at {coordinate_text(name, values[0])}, the only point"
    start, end = (0.0, 1.0) if {0.0, 1.0} <= set(values) else (values.iloc[0], values.iloc[-1])
    first, last = (Value.of(rows[values == value].iloc[0]) for value in (start, end))
    told = change(first, last, coordinate_text(name, start), coordinate_text(name, end))
    told += between(first, last, rows[values.between(start, end, inclusive="neither")], {coordinate: name})
    found = rows["estimate"].dropna()
    if found.empty or (values.iloc[0], values.iloc[-1]) == (start, end):
        return told
    reach = f"{number(values.iloc[0])} … {number(values.iloc[-1])}"
    return f"{told} (estimates over {name} = {reach}: {number(found.min())} to {number(found.max())})"


def _compare(tables: Sequence[pd.DataFrame], panel: Mapping[str, Any], known: Mapping[str, str]) -> list[str]:
    """Where two sweeps of one coordinate differ; nothing for more sweeps, whose coordinates mean different things."""
    coordinates = {coordinate for table in tables for coordinate in coordinate_columns(table)}
    if len(tables) != 2 or len(coordinates) != 1:
        return []
    (coordinate,) = coordinates
    name = labels([coordinate], known)[coordinate]
    one, two = (_rows(table, panel).set_index(coordinate) for table in tables)
    shared = [at for at in one.index if at in two.index]
    pairs = {at: (Value.of(one.loc[at]), Value.of(two.loc[at])) for at in shared}
    clear = [at for at, pair in pairs.items() if apart(*pair, among=len(shared))]
    if not shared:
        return []
    if not clear:
        return [f"at none of {counted(len(shared), 'shared coordinate')} the two are apart beyond chance"]
    told = listed(f"{coordinate_text(name, at)} ({pairs[at][0]} against {pairs[at][1]})" for at in clear)
    return [f"of {counted(len(shared), 'shared coordinate')} the two are apart beyond chance at {told}"]


def _trade_off(table: pd.DataFrame, panel: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """The value of the statistic where the one on the horizontal axis is highest."""
    (coordinate,) = coordinate_columns(table)
    name = labels([coordinate], known)[coordinate]
    across, along = _rows(table, panel["x"]), _rows(table, panel)
    if across["estimate"].isna().all():
        return f"{panel['x']['label']} has no value"
    top = across.iloc[int(across["estimate"].argmax())]
    at = coordinate_text(name, top[coordinate])
    there = Value.of(along[along[coordinate] == top[coordinate]].iloc[0])
    return f"{there} where {panel['x']['label']} is highest, {Value.of(top)} at {at}"


def _cost(cost: pd.DataFrame) -> str:
    """Seconds and memory per space: means and ranges (not confidence intervals)."""
    told = []
    for column, unit in (("seconds_per_1000_tokens", "s per 1,000 tokens"), ("peak_memory_mb", "MiB at most")):
        values = {str(space): part[column].to_numpy() for space, part in cost.groupby("space", sort=False)}
        said = ", ".join(f"{space} {describe_range(each)}" for space, each in values.items())
        ends = sorted((each.min(), each.max()) for each in values.values())
        clear = all(one[1] < two[0] for one, two in itertools.pairwise(ends))
        told.append(f"{said} {unit}" + ("" if clear else ", ranges overlap"))
    return f"Cost of generating. {'; '.join(told)}. Means with ranges of few runs, no intervals."

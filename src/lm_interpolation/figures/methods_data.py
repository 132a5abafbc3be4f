"""The curves of figures of methods, from tables of sweeps and of losses: a score against what it costs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from lm_interpolation.figures.naming import coordinate_text
from lm_interpolation.figures.plane_data import select_points
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point


def methods_curves(
    tables: Sequence[pd.DataFrame],
    sweeps: Sequence[Mapping[str, Any]],
    prompts: str,
    score: Mapping[str, Any],
    axis: Mapping[str, Any],
    coordinate_labels: Mapping[str, str],
) -> list[dict[str, Any]]:
    """The curves of one panel, sweep by sweep: ``score`` against the statistic of ``axis``.

    A sweep is ``{name, label, coordinates, values}``; its ``values``, if given, are (coordinate, list) of those values
    of the coordinates after the first that count. ``tables`` begin with those of the sweeps, in order. ``axis`` is
    ``{scorer, statistic, ...}``, of the same prompts, or ``{tables, class, statistic, ...}`` with the place among
    ``tables`` of the losses of each sweep.

    The curve follows the first coordinate. Each combination of values of the others gives a curve. Returns
    ``{sweep, label, rank, coordinate, points}`` for each; ``rank`` counts the curves of a sweep, and ``points`` has
    the columns ``at`` (ascending), ``point`` (id), ``x``, ``x_low``, ``x_high``, ``y``, ``y_low`` and ``y_high``.

    Raises ``UserError`` if a table lacks a statistic, if a sweep has no point with one of ``values``, or if a value on
    a log axis is not positive.
    """
    curves = []
    for index, sweep in enumerate(sweeps):
        names = list(sweep["coordinates"])
        keep = ["scorer", "statistic"]
        y = _select(tables[index], names, {"prompts": prompts} | {key: score[key] for key in keep})
        if "scorer" in axis:
            x = _select(tables[index], names, {"prompts": prompts} | {key: axis[key] for key in keep})
        else:
            keep = [key for key in ("class", "statistic") if axis.get(key)]
            x = _select(tables[axis["tables"][index]], names, {key: axis[key] for key in keep})
        if axis["scale"] == "log" and (x[["estimate", "low"]] <= 0).any(axis=None):
            raise UserError(f"sweep {sweep['name']}: {axis['label']} is not positive everywhere; use scale: linear")
        x = x.rename(columns={"estimate": "x", "low": "x_low", "high": "x_high"}).drop(columns="point")
        joined = y.rename(columns={"estimate": "y", "low": "y_low", "high": "y_high"}).merge(x, on=names)
        curves += _of_sweep(joined.rename(columns={names[0]: "at"}), sweep, names, coordinate_labels)
    return curves


def single(identifier: str) -> str | None:
    """The model that the point with this id is; None if it is a mixture, or under a method."""
    point = Point.parse(identifier)
    return point.models[0] if not point.method and len(point.models) == 1 else None


def _select(table: pd.DataFrame, names: Sequence[str], where: Mapping[str, str]) -> pd.DataFrame:
    """``select_points`` for any number of coordinates, with the ids of the points."""
    rows = select_points(table, tuple(names), where)
    ids = table.drop_duplicates(list(names))[[*names, "point"]]
    return rows.merge(ids, on=list(names))


def _of_sweep(
    joined: pd.DataFrame, sweep: Mapping[str, Any], names: Sequence[str], coordinate_labels: Mapping[str, str]
) -> list[dict[str, Any]]:
    others = list(names[1:])
    for coordinate, values in sweep["values"]:
        known = sorted(set(joined[coordinate]))
        for value in values:
            if value not in known:
                raise UserError(
                    f"sweep {sweep['name']} has no point where {coordinate} is {value:g}; choose some of "
                    f"{', '.join(f'{one:g}' for one in known)}"
                )
        joined = joined[joined[coordinate].isin(values)]
    groups: Iterable[tuple[Any, pd.DataFrame]] = joined.groupby(others, sort=True) if others else [((), joined)]
    found = []
    for rank, (chosen, points) in enumerate(groups):
        settings = [
            coordinate_text(coordinate_labels.get(name, name), float(value))
            for name, value in zip(others, chosen, strict=True)
        ]
        found.append(
            {
                "sweep": sweep["name"],
                "label": ", ".join([sweep["label"], *settings]),
                "rank": rank,
                "coordinate": coordinate_labels.get(names[0], names[0]),
                "points": points.sort_values("at").reset_index(drop=True),
            }
        )
    return found

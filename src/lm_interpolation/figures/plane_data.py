"""What a panel of a plane shows, from tables of sweeps and of losses."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lm_interpolation.jobs.runtime import UserError


def panel_data(tables: Sequence[pd.DataFrame], panel: Mapping[str, Any], coordinates: tuple[str, str]) -> pd.DataFrame:
    """``select_points`` of a panel in the settings of a figure; ``tables`` are those of the figure."""
    where = {key: panel[key] for key in ("scorer", "prompts", "class", "statistic") if panel.get(key)}
    return select_points(tables[panel["table"]], coordinates, where)


def select_points(table: pd.DataFrame, coordinates: Sequence[str], where: Mapping[str, str]) -> pd.DataFrame:
    """The rows of one quantity of a table: those ``where`` the columns have the given values.

    In a sweep table ``scorer``, ``statistic`` and ``prompts`` select a quantity, in a loss table ``class`` and
    ``statistic``. Returns the coordinates, ``estimate``, ``low`` and ``high``, one row per point.

    Raises ``UserError`` if the table lacks a coordinate or a column of ``where``, has no such row, or has several rows
    for one point.
    """
    name = f"sweep {table['sweep'].iloc[0]}"
    for column in (*coordinates, *where):
        if column not in table:
            raise UserError(f"{name} has no column {column!r}; it has {list(table.columns)}")
    rows = table
    for column, value in where.items():
        known = list(dict.fromkeys(rows[column].astype(str)))
        if value not in known:
            raise UserError(f"{name} has no {column} {value!r} ({dict(where)}); choose one of {known}")
        rows = rows[rows[column].astype(str) == value]
    rows = rows[[*coordinates, "estimate", "low", "high"]].reset_index(drop=True)
    twice = rows[rows.duplicated(list(coordinates))]
    if len(twice):
        raise UserError(
            f"{name} has several values at {twice.iloc[0][list(coordinates)].to_dict()}; name the quantity fully "
            "(scorer, statistic and prompts, or class and statistic), and all its coordinates"
        )
    return rows

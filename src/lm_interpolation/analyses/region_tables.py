"""The losses of the points of regions as tables, and how the kinds of points compare. No model is needed here."""

import os
from collections.abc import Iterator

import numpy as np
import pandas as pd

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.statistics.inference import DRAWS, TAIL
from lm_interpolation.statistics.superiority import Comparison, Superiority

BASE, INSIDE, HULL, OUTSIDE = "base", "in", "in'", "ex"
"""Kinds of points: the base; models of the group; points of their convex hull; models of other groups, or random."""
PAIRS = {f"{one}-{other}": (one, other) for one, other in ((HULL, OUTSIDE), (HULL, INSIDE), (INSIDE, OUTSIDE))}
"""Name of a pair to the kind that is claimed to have the lower loss, and the other."""
ALL = "all groups"

REGION_COLUMNS = ["group", "data", "kind", "point", "models", "loss", "n_texts"]
REGION_VALUES = ["loss"]
"""The columns that ``tables.write_table`` rounds."""
PB_COLUMNS = ["group", "pair", "pb", "low", "high", "models", "first", "second"]
PB_VALUES = ["pb", "low", "high"]


def read_region(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The losses of ``region.region_losses`` as they were written. A group may well be called "null"."""
    names = dict.fromkeys(("group", "data", "kind", "point"), str)
    return pd.read_csv(path, dtype=names, keep_default_na=False)


def read_superiority(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of ``superiority_table`` as it was written."""
    return pd.read_csv(path, dtype=dict.fromkeys(("group", "pair"), str), keep_default_na=False)


def superiority_table(losses: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """PB of each of ``PAIRS`` with its 95 % interval: the columns ``PB_COLUMNS``.

    One row for each group and pair, in the order of ``losses`` (columns ``REGION_COLUMNS``), then for ``ALL``, the mean
    over groups, if there are several. ``models`` is the number of models in the groups, ``first`` and ``second`` are
    numbers of different points. Values: see ``superiority``.
    """
    groups = list(dict.fromkeys(losses["group"]))
    rows = []
    for group in [*groups, *([ALL] if len(groups) > 1 else [])]:
        for pair, kinds in PAIRS.items():
            found, models = superiority(losses, pair, [group] if group != ALL else groups, seed, resamples)
            part = losses if group == ALL else losses[losses["group"] == group]
            counts = [len(part[part["kind"] == kind].drop_duplicates(_unit_columns(kind))) for kind in kinds]
            rows.append((group, pair, found.value, *found.limits(TAIL), models, *counts))
    return pd.DataFrame(rows, columns=PB_COLUMNS)


def superiority(
    losses: pd.DataFrame, pair: str, groups: list[str], seed: int, draws: int = DRAWS
) -> tuple[Superiority, int]:
    """PB of a pair of kinds over ``groups``, and the number of models in these groups.

    Kinds are compared on one data set at a time, since losses on different texts do not compare; a group has the mean
    over its data sets. Units of the bootstrap are models, with the strata of the groups that they are in, and drawn
    points of a hull or random directions, each with those of its group as stratum. A model is the same unit wherever it
    occurs, in its own group and outside of others.

    Raises ``UserError`` if a data set lacks a kind.
    """
    home = dict(losses.loc[losses["kind"] == INSIDE, ["point", "group"]].to_numpy())
    codes: dict[tuple[str, ...], int] = {}
    strata: list[tuple[str, ...]] = []

    def unit(group: str, kind: str, point: str) -> int:
        key = (group, point) if kind == HULL else (point,)
        if key not in codes:
            codes[key] = len(strata)
            strata.append((HULL, group) if kind == HULL else (INSIDE, home[point]) if point in home else (OUTSIDE,))
        return codes[key]

    def side(rows: pd.DataFrame, group: str, name: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
        chosen = rows[rows["kind"] == kind]
        if chosen.empty:
            raise UserError(f"group {group}, data set {name}: no loss of kind {kind}; delete the table")
        units = [unit(group, kind, point) for point in chosen["point"]]
        return chosen["loss"].to_numpy(np.float64), np.array(units)

    def comparisons(group: str) -> Iterator[Comparison]:
        for name, rows in losses[losses["group"] == group].groupby("data", sort=False):
            first, second = (side(rows, group, str(name), kind) for kind in PAIRS[pair])
            yield Comparison(*first, *second)

    models = sum(group in groups for group in home.values())
    found = [list(comparisons(group)) for group in groups]
    return Superiority(found, strata, models, seed, draws), models


def _unit_columns(kind: str) -> list[str]:
    return ["group", "point"] if kind == HULL else ["point"]

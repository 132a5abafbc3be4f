"""What a figure of layers shows, from the table of an analysis of that kind."""

import os
from typing import Any

import pandas as pd

from lm_interpolation.jobs.runtime import UserError


def read_layers(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of ``layers.layer_effects``. A class may be called "null"; a layer or an interval may be missing."""
    types: dict[str, Any] = dict.fromkeys(("group", "kind", "mode", "class", "statistic"), str) | {"layer": "Int64"}
    missing = {name: [""] for name in ("layer", "low", "high", "share", "share_low", "share_high")}
    return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=missing)


def select_layers(table: pd.DataFrame, statistic: str, class_name: str | None) -> pd.DataFrame:
    """The rows of one statistic and class, with ``estimate``, ``low`` and ``high`` of the share of the gain.

    Raises ``UserError`` if there are none, or if model and base have the same loss.
    """
    chosen = "" if class_name is None else class_name
    rows = table[(table["statistic"] == statistic) & (table["class"] == chosen)]
    if rows.empty:
        known = sorted(set(zip(table["statistic"], table["class"], strict=True)))
        raise UserError(f"the table has no {statistic} of class {chosen!r}; it has {known}")
    if rows["share"].isna().all():
        raise UserError("model and base have the same loss, so there is no gain to share; leave the figure out")
    shares = {"share": "estimate", "share_low": "low", "share_high": "high"}
    return rows.drop(columns=list(shares.values())).rename(columns=shares).reset_index(drop=True)

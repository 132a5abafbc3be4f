"""The values of figures of starts, from tables of the losses of models."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.statistics.paired_targets import Pairs


def read_model_losses(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of ``model_loss_tables.model_loss_table``. A class may be called "null"; an interval may be missing."""
    types: dict[str, Any] = dict.fromkeys(("model", "class", "statistic"), str)
    return pd.read_csv(path, dtype=types, keep_default_na=False, na_values={"low": [""], "high": [""]})


def losses_of(tables: Sequence[pd.DataFrame], panel: Mapping[str, Any], statistic: str) -> Pairs:
    """Of each of ``panel``'s ``targets`` the losses (seeds,) from the base and, paired, those from the centroid.

    A target is ``{name, table, class, centroid, base}``: its place among ``tables``, its class (None: the mean of all),
    and the names of its models. Raises ``UserError`` if a table lacks one of them.
    """
    pairs = []
    for target in panel["targets"]:
        table = tables[target["table"]]
        rows = table[table["statistic"] == statistic]
        if target["class"] is not None:
            rows = rows[rows["class"] == target["class"]]
        means = rows.groupby("model")["estimate"].mean()
        lacking = [name for key in ("base", "centroid") for name in target[key] if name not in means.index]
        if lacking:
            raise UserError(f"target {target['name']}: the table has no {statistic} of model {lacking[0]}")
        base, centroid = (means[target[key]].to_numpy(dtype=np.float64) for key in ("base", "centroid"))
        pairs.append((base, centroid))
    return pairs

"""Reads tables of analyses without importing the code that computes them."""

import os
from typing import Any

import pandas as pd

from lm_interpolation.tables.tables import read_table


def read_next_tokens(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table that ``next_tokens.write_next_tokens`` wrote.

    No value is missing: " null" and "NaN" are tokens like others.
    """
    names = dict.fromkeys(("sweep", "point", "kind", "group", "text", "pieces"), str)
    return pd.read_csv(path, dtype=names, keep_default_na=False, na_values=[])


def read_barriers(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of ``barriers.barrier_table``. A barrier that was not measured has neither a value nor a coordinate."""
    return read_table(path, ["coordinate", "estimate", "low", "high"])


def read_norms(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of ``geometry.weight_norms``. A pair or a model may well be called "null"; a layer may be missing."""
    types: dict[str, Any] = {"pair": str, "layer": "Int64"}
    return pd.read_csv(path, keep_default_na=False, na_values={"layer": [""]}, dtype=types)

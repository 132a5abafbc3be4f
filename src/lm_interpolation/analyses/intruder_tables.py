"""The tables of intruder dimensions. No model is needed here."""

import os
from collections.abc import Sequence
from typing import Any

import pandas as pd

MATRIX_COLUMNS = [
    *("model", "tensor", "kind", "layer", "outputs", "inputs", "moved", "vectors", "intruders"),
]
RANK_COLUMNS = ["model", "tensor", "rank", "value", "cosine"]
THRESHOLD_COLUMNS = ["model", "epsilon", "intruders", "low", "high", "share", "matrices"]
MATRIX_VALUES = ["moved"]
RANK_VALUES = ["value", "cosine"]
THRESHOLD_VALUES = ["intruders", "low", "high", "share"]
"""The columns that ``tables.write_table`` rounds."""


def read_matrices(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of matrices. A model may well be called "null"."""
    return pd.read_csv(path, dtype=_types(MATRIX_VALUES), keep_default_na=False)


def read_thresholds(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of thresholds; of a single matrix there is no interval (NaN)."""
    missing = {column: [""] for column in ("low", "high")}
    return pd.read_csv(path, dtype=_types(THRESHOLD_VALUES), keep_default_na=False, na_values=missing)


def _types(values: Sequence[str]) -> dict[str, Any]:
    return dict.fromkeys(("model", "tensor"), str) | dict.fromkeys(values, float)

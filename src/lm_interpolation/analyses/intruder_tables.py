"""The tables of intruder dimensions. No model is needed here."""

import os

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

_NAMES = dict.fromkeys(("model", "tensor"), str)


def read_matrices(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of matrices. A model may well be called "null"."""
    return pd.read_csv(path, dtype=_NAMES, keep_default_na=False)


def read_thresholds(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of thresholds; of a single matrix there is no interval (NaN)."""
    missing = {column: [""] for column in ("low", "high")}
    return pd.read_csv(path, dtype=_NAMES, keep_default_na=False, na_values=missing)

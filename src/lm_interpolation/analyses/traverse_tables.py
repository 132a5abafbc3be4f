"""The table of losses between and beyond models. No model is needed here."""

import os

import pandas as pd

SAME_DATA, SAME_TASK, DIFFERENT = LEVELS = ("same data", "same task", "different")
"""Levels of pairs: models of one data set; of one group, but not of one data set; of different groups."""
ORIGIN, RANDOM = "origin", "random"
"""Levels of lines from the centroid: towards weights of 0, and along random directions."""

TRAVERSE_COLUMNS = ["level", "alpha", "loss", "low", "high", "excess", "excess_low", "excess_high", "lines", "infinite"]
TRAVERSE_VALUES = ["loss", "low", "high", "excess", "excess_low", "excess_high"]
"""The columns that ``tables.write_table`` rounds."""


def read_traverse(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of ``traverse.traverse`` as it was written; a loss or an interval may be missing (NaN)."""
    return pd.read_csv(path, dtype={"level": str})

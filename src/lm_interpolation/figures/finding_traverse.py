"""What a figure of lines between and beyond models shows: where losses rise above those of the ends."""

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from lm_interpolation.analyses.traverse_tables import LEVELS, ORIGIN, RANDOM, read_traverse
from lm_interpolation.figures.phrases import Value, counted, number
from lm_interpolation.scores.judges import Judge

_WORDS = dict(
    zip(LEVELS, ("models of the same data set", "models of the same group", "models of different groups"), strict=True)
)


def find_traverse(paths: Sequence[str | os.PathLike[str]], judges: Mapping[str, Judge]) -> list[str]:
    """For each level what happens half-way and far beyond both ends; then the ways from the centroid."""
    table = read_traverse(paths[0])
    found = []
    for level, words in _WORDS.items():
        rows = table[table["level"] == level]
        if len(rows):
            found.append(_of_pairs(rows, words))
    found.append(_from_centroid(table))
    if lost := int(table["infinite"].sum()):
        found.append(f"Infinite losses, which do not count: {lost:,} (triangles); the mean there is higher than shown.")
    return found


def _of_pairs(rows: pd.DataFrame, words: str) -> str:
    middle, near, far = (_excess(rows[rows["alpha"] == alpha].iloc[0]) for alpha in (0.5, 2, rows["alpha"].max()))
    lines = counted(int(rows["lines"].max()), "pair")
    return (
        f"Half-way between {words} ({lines}) the loss differs from that of the ends by {middle}{_shown(middle)}; "
        f"beyond, by {near} at α = 2 and {far} at α = {number(rows['alpha'].max())}."
    )


def _from_centroid(table: pd.DataFrame) -> str:
    told = []
    for level, words in ((ORIGIN, "towards the origin"), (RANDOM, "in random directions of the same length")):
        rows = table[(table["level"] == level) & (table["alpha"] > 0)]
        first, last = (_excess(row) for _, row in rows.iloc[[0, -1]].iterrows())
        told.append(f"{words} by {first} at a step of {number(rows['alpha'].iloc[0])} and {last} at 1")
    return f"From the centroid the loss changes {', and '.join(told)}."


def _excess(row: pd.Series) -> Value:
    return Value(float(row["excess"]), float(row["excess_low"]), float(row["excess_high"]))


def _shown(value: Value) -> str:
    if not value.has_interval or value.low <= 0 <= value.high:
        return ", no difference shown"
    return ", lower beyond chance" if value.high < 0 else ", higher beyond chance"

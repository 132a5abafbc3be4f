"""What a figure of next-token probabilities shows: groups of words, and the tokens that move most."""

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from lm_interpolation.figures.naming import coordinate_text
from lm_interpolation.figures.phrases import labels, listed, number
from lm_interpolation.scores.judges import Judge
from lm_interpolation.tables.analysis_tables import read_next_tokens


def find_words(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
    *,
    coordinate_labels: Mapping[str, str],
) -> list[str]:
    """A sentence per group of words and per direction of tokens, on the change from coordinate 0 to 1 or end to end."""
    table = read_next_tokens(paths[0])
    columns = list(table.columns)
    (coordinate,) = columns[columns.index("sweep") + 1 : columns.index("point")]
    name = labels([coordinate], coordinate_labels)[coordinate]
    values = set(table[coordinate])
    start, end = (0.0, 1.0) if {0.0, 1.0} <= values else (min(values), max(values))
    if start == end:
        return [f"All probabilities are at {coordinate_text(name, start)}, the only point: nothing to compare."]
    places = (coordinate_text(name, start), coordinate_text(name, end))
    found = []
    for (kind, group), part in table.groupby(["kind", "group"], sort=False):
        # Tokens with the same text may differ in their pieces.
        keys = ["text", "pieces"]
        before, after = (part[part[coordinate] == value].set_index(keys)["probability"] for value in (start, end))
        found.append(
            _words(str(group), before, after, places) if kind == "word" else _tokens(str(group), before, after, places)
        )
    return [*found, "Probabilities after one prompt, exact for these models: no intervals; other prompts may differ."]


def _words(group: str, before: pd.Series, after: pd.Series, places: tuple[str, str]) -> str:
    rising, falling = int((after > before).sum()), int((after < before).sum())
    total = f"{number(float(before.sum()))} at {places[0]}, {number(float(after.sum()))} at {places[1]}"
    return f"{group} words, together: {total}; {rising} of {len(before)} rise, {falling} fall."


def _tokens(group: str, before: pd.Series, after: pd.Series, places: tuple[str, str]) -> str:
    moved = (after - before).sort_values(ascending=group == "falls")[:2].index
    shown = listed(
        f"“{text.strip()}” ({number(before[text, pieces])} to {number(after[text, pieces])})" for text, pieces in moved
    )
    return f"Token that {group} most, and the next, from {places[0]} to {places[1]}: {shown}."

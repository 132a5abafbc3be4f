"""Scores of the kind ``distinct``: the share of distinct n-grams among the samples of a prompt."""

from collections.abc import Sequence
from typing import Any

import pandas as pd


def score_distinct(
    row_ids: Sequence[int], samples: Sequence[int], continuations: Sequence[str], n: Sequence[int]
) -> pd.DataFrame:
    """distinct-n of each prompt over its samples, as in DExperts (Liu et al. 2021, ``evaluate_generations.py``).

    Unique n-grams (within one continuation, pooled over the prompt's samples) divided by the number of words. As in
    DExperts, words are separated by single spaces: a continuation that starts with a space starts with an empty word.
    If all continuations of a prompt are empty, there is no word and the value is null (DExperts would count each as one
    empty word).

    Takes the texts of one point. Columns, sorted by row: ``row`` int64, ``texts`` int32 (number of samples), and
    nullable float64 ``distinct_<n>``.
    """
    frame = pd.DataFrame({"row": row_ids, "sample": samples, "text": continuations})
    if frame.duplicated(["row", "sample"]).any():
        raise ValueError("a (row, sample) occurs twice: score one point at a time")
    rows: list[dict[str, Any]] = []
    for row, group in frame.groupby("row", sort=True):
        words = [text.split(" ") for text in group["text"]]
        total = sum(map(len, words)) if group["text"].any() else 0
        values = {
            f"distinct_{size}": len({"_".join(w[i : i + size]) for w in words for i in range(len(w) - size + 1)})
            / total
            if total
            else None
            for size in n
        }
        rows.append({"row": row, "texts": len(group), **values})
    types = {"row": "int64", "texts": "int32"} | {f"distinct_{size}": "Float64" for size in n}
    return pd.DataFrame(rows, columns=list(types)).astype(types)

"""Generated texts of several sweeps at the same coordinates, side by side."""

import os
from collections.abc import Sequence

import pandas as pd

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.runtime import atomic_path


def compare_texts(
    prompts: pd.DataFrame, sweeps: Sequence[str], at: Sequence[str], files: Sequence[str | os.PathLike[str]]
) -> pd.DataFrame:
    """The first continuation of each prompt at each coordinate, with a column per sweep.

    ``prompts`` has the columns ``row`` and ``text``. ``files`` are the text files of each sweep at the coordinates
    ``at``: sweep by sweep, in the order of ``at``. Columns: ``row``, ``prompt``, ``coordinate``, and one named after
    each sweep.
    """
    places = [(sweep, value) for sweep in sweeps for value in at]
    first = {place: _first_continuations(file) for place, file in zip(places, files, strict=True)}
    rows = [
        {"row": row, "prompt": text, "coordinate": value} | {sweep: first[sweep, value][row] for sweep in sweeps}
        for row, text in zip(prompts["row"], prompts["text"], strict=True)
        for value in at
    ]
    return pd.DataFrame(rows)


def write_texts(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write the frame of ``compare_texts`` as CSV, atomically."""
    with atomic_path(path) as scratch:
        table.to_csv(scratch, index=False, lineterminator="\n")


def _first_continuations(path: str | os.PathLike[str]) -> pd.Series:
    """Map the row of each prompt to its first continuation, from the text file of a point."""
    texts = read_parquet(path, ["row", "sample", "continuation"]).to_pandas()
    return texts[texts["sample"] == 0].set_index("row")["continuation"]

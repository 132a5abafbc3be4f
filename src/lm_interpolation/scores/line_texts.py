"""The texts that a scorer reads: those of a point, or of all points of a line with their prompts."""

import os
from collections.abc import Sequence

import pandas as pd

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.runtime import UserError

PathLike = str | os.PathLike[str]


def read_point_texts(path: PathLike, samples: int | None = None) -> pd.DataFrame:
    """The texts of a point from their file: ``row`` int64, ``sample`` int32 and ``continuation``, numbered from 0.

    With ``samples`` only the first continuations of each prompt, this many or all that there are.
    """
    texts = read_parquet(path, ["row", "sample", "continuation"]).to_pandas()
    return texts if samples is None else texts[texts["sample"] < samples].reset_index(drop=True)


def read_line_texts(
    texts: Sequence[PathLike], points: Sequence[str], prompts: PathLike, samples: int | None = None
) -> pd.DataFrame:
    """The texts of a line's points, in their order, with their prompts: one row per text.

    ``texts`` are the files of ``points`` (ids); ``prompts`` is the file of prompts that they continue; ``samples`` as
    in ``read_point_texts``. Columns: ``point``, ``row``, ``sample``, ``prompt``, ``continuation``. Raises ``UserError``
    if a text has no prompt.
    """
    frames = [read_point_texts(path, samples).assign(point=point) for path, point in zip(texts, points, strict=True)]
    by_row = read_parquet(prompts).to_pandas().set_index("row")["text"]
    joined = pd.concat(frames, ignore_index=True)
    joined["prompt"] = joined["row"].map(by_row)
    lost = joined[joined["prompt"].isna()]
    if len(lost):
        raise UserError(
            f"{prompts}: no prompt of row {lost['row'].iloc[0]}, which texts were generated from; rerun them"
        )
    return joined[["point", "row", "sample", "prompt", "continuation"]]

"""Files of raw scores: one per line of points, prompt set and scorer, with one row per text or prompt.

Averages, ratios and intervals are computed later (``tables.py``), so they can change without new scores.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lm_interpolation.data.parquet import read_parquet, write_parquet
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Sweep, line_owner

PathLike = str | os.PathLike[str]


def write_scores(scores: pd.DataFrame, path: PathLike) -> None:
    """Write the scores of one line and one scorer as Parquet, atomically.

    Columns: ``point`` (id, stored as a dictionary), ``row`` int64, ``sample`` int32 (absent where a row is a prompt,
    as for distinct-n), then the values. Raises ``ValueError`` if a key occurs twice or a value is NaN or infinite (a
    text without a score is null).
    """
    keys = [key for key in ("point", "row", "sample") if key in scores]
    if scores.duplicated(keys).any():
        raise ValueError(f"{path}: a {tuple(keys)} occurs twice")
    arrays = {"point": pa.array(scores["point"].astype(str).tolist(), pa.string()).dictionary_encode()}
    types = {"row": pa.int64(), "sample": pa.int32()}
    for column in [*keys[1:], *(str(name) for name in scores if name not in keys)]:
        # from_pandas=False keeps NaN distinct from null: a missing score must be an intentional null.
        array = pa.array(scores[column].array, type=types.get(column), from_pandas=False)
        if pa.types.is_floating(array.type) and not pc.all(pc.is_finite(array), min_count=0).as_py():
            raise ValueError(f"{path}: column {column} has a value that is not finite")
        arrays[column] = array
    write_parquet(pa.table(arrays), path, compression="zstd")


def read_scores(path: PathLike) -> pd.DataFrame:
    """The scores that ``write_scores`` wrote; ``point`` is categorical, nullable values are pandas ``Float``."""
    nullable = {pa.float32(): pd.Float32Dtype(), pa.float64(): pd.Float64Dtype()}
    return read_parquet(path).to_pandas(types_mapper=nullable.get)


class ScoreFiles:
    """The files ``scores/<prompts>/<line>/<scorer>.parquet`` of a study, read on demand.

    ``spaces`` names the space of each sweep that owns a line (see ``points.assign_lines``), since the same point
    differs between weights and logits.
    """

    def __init__(self, paths: Iterable[PathLike], spaces: Mapping[str, str]) -> None:
        self._files: dict[tuple[str, str, str], list[tuple[Path, frozenset[str]]]] = {}
        for path in map(Path, paths):
            points = read_parquet(path, ["point"])["point"].unique().to_pylist()
            key = (spaces[line_owner(path.parent.name)], path.parts[-3], path.stem)
            self._files.setdefault(key, []).append((path, frozenset(points)))

    def __call__(self, sweep: Sweep, prompts: str, scorer: str) -> pd.DataFrame:
        """Score rows of the lines that hold points of ``sweep``. Raises ``UserError`` if a point has no score."""
        wanted = {entry.point.id for entry in sweep.points}
        files = self._files.get((sweep.space, prompts, scorer), [])
        missing = sorted(wanted.difference(*(points for _, points in files)))
        if missing:
            raise UserError(f"sweep {sweep.name}, prompts {prompts}: no {scorer} score for point {missing[0]}")
        return pd.concat([read_scores(path) for path, points in files if points & wanted], ignore_index=True)

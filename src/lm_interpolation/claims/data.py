"""The data of claims, and the result of measuring one."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Sweep
from lm_interpolation.scores.judges import Judge
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.statistics.inference import Inference
from lm_interpolation.statistics.medians import Median, MedianRatio

PathLike = str | os.PathLike[str]


class NotTested(Exception):
    """The data do not allow a claim to be tested; the message says why."""


@dataclass(frozen=True)
class ClaimData:
    """The data that claims are computed from.

    ``scores(sweep, prompts, scorer)`` gives score rows (see ``score_files.ScoreFiles``). ``tables`` and ``losses`` map
    names of analyses to their tables (see ``read_analysis``) and raw losses (see ``loss_files.read_losses``).
    ``scorers`` has the statistics of each scorer, ``barriers`` the name of the statistic whose logarithm is a loss, if
    the scorer has one, and ``judges`` the judge of each classifier. All draws use ``seed``.
    """

    sweeps: Mapping[str, Sweep]
    scorers: Mapping[str, Sequence[Statistic]]
    barriers: Mapping[str, str]
    scores: Callable[[Sweep, str, str], pd.DataFrame]
    tables: Mapping[str, pd.DataFrame]
    losses: Mapping[str, pd.DataFrame]
    judges: Mapping[str, Judge]
    seed: int


@dataclass(frozen=True)
class Measured:
    """A statistic and a remark on it; its interval rests on this many ``units`` of this ``kind`` (prompts, ...).

    ``undefined`` is the share of draws without a value; ``instead`` says what would decide the claim if more units
    would not. The statistic cannot lie below ``least`` or above ``most``. ``trainings`` are those that it is a mean
    over, by seed, if there are several.
    """

    inference: Inference
    note: str
    units: int | None = None
    kind: str = ""
    undefined: float = 0.0
    instead: str = "the value lies too near the threshold"
    least: float = -math.inf
    most: float = math.inf
    trainings: Mapping[str, "Measured"] = field(default_factory=dict)

    @property
    def by_order(self) -> bool:
        """Whether the interval is made of order statistics, which are valid for any number of units."""
        return isinstance(self.inference, Median | MedianRatio)


def read_analysis(path: PathLike) -> pd.DataFrame:
    """The table of an analysis, every column as text: a word may well be called "nan"."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    """A column of ``read_analysis`` as float64; an empty field is NaN."""
    return table[column].replace("", "nan").to_numpy(dtype=np.float64)


def rows_of(table: pd.DataFrame, spec: Mapping[str, Any], **wanted: str) -> pd.DataFrame:
    """The rows, at least one, of an analysis' table whose columns have the ``wanted`` values."""
    for column, value in wanted.items():
        known = list(dict.fromkeys(table[column]))
        if value not in known:
            raise UserError(f"analysis {spec['analysis']} has no {column} {value!r}, but {', '.join(known)}")
        table = table[table[column] == value]
    return table


def sign(word: str, positive: str) -> int:
    return 1 if word == positive else -1


def compact(value: float) -> str:
    """``value`` with three significant digits, in plain notation where that is readable: 0.0123, 1230, 1.2e-06."""
    rounded = float(f"{value:.3g}")
    if rounded == 0 or 1e-4 <= abs(rounded) < 1e6:
        return np.format_float_positional(rounded + 0.0, trim="-")
    return f"{rounded:.3g}"

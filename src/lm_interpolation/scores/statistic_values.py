"""The values of statistics (``statistic.py``) at the rows of score files, as sums that a bootstrap can resample."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores.statistic import Statistic


@dataclass(frozen=True)
class Summands:
    """The summands of one statistic per row of a score file, (n,) float64 each, and the bounds of the statistic.

    The statistic is the sum of ``numerator`` over the sum of ``denominator``, or its exponential. ``texts`` is the
    number of texts that a row represents.
    """

    name: str
    numerator: np.ndarray
    denominator: np.ndarray
    texts: np.ndarray
    least: float
    most: float
    exponentiate: bool


def summands(scores: pd.DataFrame, scorer: str, statistics: Iterable[Statistic]) -> list[Summands]:
    """The summands of ``statistics`` at the rows of ``scores``; a statistic with ``each`` yields one per column.

    ``scorer`` is the name of the scorer. Raises ``UserError`` if the scores lack a column, or if the exponential of a
    value overflows.
    """
    return [_summands(scores, scorer, single) for statistic in statistics for single in _singles(scores, statistic)]


def text_values(scores: pd.DataFrame, scorer: str, statistic: Statistic) -> np.ndarray:
    """The value of each row before any exponential, (n,) float64; NaN for a row without one.

    Raises ``UserError`` if the scores lack a column.
    """
    values = weighted_sum(scores, scorer, statistic.columns)
    if statistic.per is None:
        return values
    per = _column(scores, statistic.per)
    return np.divide(values, per, out=np.full(len(scores), np.nan), where=per > 0)


def weighted_sum(scores: pd.DataFrame, scorer: str, columns: Mapping[str, float]) -> np.ndarray:
    """The sum of weight times column, (n,) float64; NaN where one of the columns is null.

    Raises ``UserError`` if ``scores`` lack a column.
    """
    lacking = [column for column in columns if column not in scores]
    if lacking:
        known = [column for column in map(str, scores) if column not in ("point", "row", "sample")]
        raise UserError(
            f"scorers.{scorer}: it gives no {', '.join(lacking)}, but {', '.join(known)}; name one of these"
        )
    values = (_column(scores, column) for column in columns)
    return sum((weight * value for weight, value in zip(columns.values(), values, strict=True)), np.zeros(len(scores)))


def _singles(scores: pd.DataFrame, statistic: Statistic) -> Iterator[Statistic]:
    if statistic.each is None:
        yield statistic
    else:
        for column in _beginning(scores, statistic.each):
            yield replace(statistic, name=column, columns={column: 1}, each=None)


def _summands(scores: pd.DataFrame, scorer: str, statistic: Statistic) -> Summands:
    texts = np.ones(len(scores)) if statistic.texts is None else _column(scores, statistic.texts)
    least, most = _bounds(scores, statistic)
    if statistic.pooled:
        assert statistic.per is not None
        numerator, denominator = weighted_sum(scores, scorer, statistic.columns), _column(scores, statistic.per)
        known = ~np.isnan(numerator)
        numerator, denominator = np.where(known, numerator, 0.0), np.where(known, denominator, 0.0)
        return Summands(statistic.name, numerator, denominator, texts, least, most, statistic.exponentiate)
    values = text_values(scores, scorer, statistic)
    if statistic.exponentiate:
        with np.errstate(over="ignore"):
            values = np.exp(values)
        if np.isinf(values).any():
            worst = scores.iloc[int(np.argmax(values == np.inf))]
            sample = f", sample {worst['sample']}" if "sample" in worst else ""
            raise UserError(
                f"scorer {scorer}: {statistic.name} of prompt {worst['row']}{sample} at point {worst['point']} "
                "overflows; leave that point out"
            )
    known = ~np.isnan(values)
    return Summands(
        statistic.name, np.where(known, values, 0.0), known.astype(np.float64), texts, least, most, exponentiate=False
    )


def _bounds(scores: pd.DataFrame, statistic: Statistic) -> tuple[float, float]:
    """The possible range of the statistic."""
    if statistic.shares is None:
        least, most = statistic.least, statistic.most
        return -math.inf if least is None else least, math.inf if most is None else most
    shares = _beginning(scores, statistic.shares)
    weights = [statistic.columns.get(column, 0) for column in shares]
    total = np.column_stack([_column(scores, column) for column in shares]).sum(axis=1)
    # Classes that exclude each other share a total probability of 1; others have up to 1 each.
    if np.nanmax(np.abs(total - 1), initial=0) < 1e-3:
        return min(weights), max(weights)
    return sum(min(weight, 0) for weight in weights), sum(max(weight, 0) for weight in weights)


def _column(scores: pd.DataFrame, name: str) -> np.ndarray:
    return scores[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _beginning(scores: pd.DataFrame, prefix: str) -> Sequence[str]:
    return [column for column in map(str, scores) if column.startswith(prefix)]

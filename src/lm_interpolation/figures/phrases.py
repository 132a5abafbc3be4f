"""Phrases about measured values, the building blocks of findings. They never claim more than the intervals allow."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.statistics.inference import LEAST_UNITS, LEVEL


@dataclass(frozen=True)
class Value:
    """A measured value and its 95 % interval; NaN where there is none."""

    estimate: float
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def of(cls, row: pd.Series) -> "Value":
        """From a row of a table with the columns ``estimate``, ``low`` and ``high``."""
        return cls(float(row["estimate"]), float(row["low"]), float(row["high"]))

    @property
    def has_interval(self) -> bool:
        """Whether the interval is known."""
        return not math.isnan(self.low) and not math.isnan(self.high)

    def __str__(self) -> str:
        """``0.31 [0.28, 0.34]``."""
        if math.isnan(self.estimate):
            return "no value"
        if not self.has_interval:
            return number(self.estimate)
        low, middle, high = (number(value, self._digits()) for value in (self.low, self.estimate, self.high))
        return f"{middle} [{low}, {high}]"

    def _digits(self) -> int:
        """Three, or as many as it takes to tell the ends of the interval apart."""
        size, width = max(abs(self.low), abs(self.high)), self.high - self.low
        return max(3, 2 + math.floor(math.log10(size) - math.log10(width))) if size > 0 and width > 0 else 3


def number(value: float, digits: int = 3) -> str:
    """``value`` with this many ``digits``, a minus sign and commas: ``−1,230``; a dash for a missing value."""
    if math.isnan(value):
        return "–"
    size = abs(value)
    text = f"{value:.{digits}g}" if size and not 1e-4 <= size < 1e6 else f"{float(f'{value:.{digits}g}'):,.15g}"
    return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e").replace("-", "−")


def listed(items: Iterable[str]) -> str:
    """``one, two and three``."""
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last


def counted(count: int, noun: str) -> str:
    """``1 point``, ``2 points``."""
    return f"{count:,} {noun}" + "s" * (count != 1)


def apart(one: Value, two: Value, among: int = 1, log: bool = False) -> bool | None:
    """Whether two intervals do not overlap; None if one of them is unknown.

    If the two are the extremes ``among`` many values, each interval is first widened (Bonferroni, normal approximation;
    of logarithms if ``log``): even among equal values, the largest and the smallest measured ones lie far apart by
    chance.
    """
    if not (one.has_interval and two.has_interval):
        return None
    factor = NormalDist().inv_cdf(1 - (1 - LEVEL) / (2 * among)) / NormalDist().inv_cdf((1 + LEVEL) / 2)
    first, second = (_widened(value, factor, log) for value in (one, two))
    return first[1] < second[0] or second[1] < first[0]


def _widened(value: Value, factor: float, log: bool) -> tuple[float, float]:
    parts = (value.low, value.estimate, value.high)
    if log and value.low > 0:
        low, middle, high = map(math.log, parts)
        return math.exp(middle - factor * (middle - low)), math.exp(middle + factor * (high - middle))
    low, middle, high = parts
    return middle - factor * (middle - low), middle + factor * (high - middle)


def change(first: Value, last: Value, start: str, end: str) -> str:
    """What a curve does from ``start`` to ``end``: it rises or falls only if the two intervals do not overlap."""
    if math.isnan(first.estimate) or math.isnan(last.estimate):
        return f"{first} at {start}, {last} at {end}: nothing to compare"
    shown = apart(first, last)
    if shown is None:
        return f"{first} at {start}, {last} at {end}, without intervals: no difference shown"
    if not shown:
        return f"{first} at {start}, {last} at {end}: the intervals overlap, no difference shown"
    return f"{'rises' if last.estimate > first.estimate else 'falls'} from {first} at {start} to {last} at {end}"


def between(first: Value, last: Value, rows: pd.DataFrame, coordinates: dict[str, str]) -> str:
    """How a curve leaves the range of its ends; it mentions only points whose intervals overlap neither end's.

    ``rows`` are the points between the ends, ``coordinates`` maps columns to labels. Because the farthest point is
    chosen among them, intervals are widened for their number (see ``apart``).
    """
    known = rows[rows["estimate"].notna()]
    told = ""
    for index, word, side in (("argmax", "up to", "above both"), ("argmin", "down to", "below both")):
        if known.empty:
            break
        row = known.iloc[int(getattr(known["estimate"].to_numpy(), index)())]
        value, ends = Value.of(row), (first.estimate, last.estimate)
        beyond = value.estimate > max(ends) if index == "argmax" else value.estimate < min(ends)
        if beyond and all(apart(value, end, len(known)) for end in (first, last)):
            told += f"; in between {word} {value} at {where(row, coordinates)}, {side}"
    return told


def extremes(rows: pd.DataFrame, log: bool = False) -> tuple[pd.Series, pd.Series, bool | None] | None:
    """The rows of the smallest and the largest ``estimate``, and whether they differ beyond chance (see ``apart``).

    None if no row has a value.
    """
    known = rows[rows["estimate"].notna()]
    if known.empty:
        return None
    estimates = known["estimate"].to_numpy()
    least, most = known.iloc[int(estimates.argmin())], known.iloc[int(estimates.argmax())]
    return least, most, apart(Value.of(least), Value.of(most), len(known), log)


def where(row: pd.Series, coordinates: dict[str, str]) -> str:
    """``α = 1, β = −2``; ``coordinates`` maps columns to labels."""
    return ", ".join(f"{label} = {number(row[column])}" for column, label in coordinates.items())


def few_prompts(tables: Iterable[pd.DataFrame]) -> list[str]:
    """A sentence if intervals in these tables rest on few prompts; nothing otherwise, or without a count of prompts."""
    counts = [int(table["n_prompts"].max()) for table in tables if "n_prompts" in table and len(table)]
    if not counts or min(counts) >= LEAST_UNITS:
        return []
    return [f"Intervals rest on {counted(min(counts), 'prompt')} only, too few for a verdict."]


def labels(names: Iterable[str], known: Any) -> dict[str, str]:
    """Map each name to its label in ``known``, or to itself if it has none."""
    return {name: known.get(name, name) for name in names}


def describe_range(values: np.ndarray, gap: str = " ") -> str:
    """Mean, range and number of repeated measurements: ``1.08 (0.80–1.37, 2 runs)``, with ``gap`` for spaces."""
    mean = float(values.mean())
    # Three digits for the mean, and as many decimals for the others.
    decimals = max(0, 2 - math.floor(math.log10(mean))) if mean > 0 else 0
    middle, low, high = (f"{value:,.{decimals}f}" for value in (mean, values.min(), values.max()))
    return f"{middle}{gap}(1 run)" if len(values) == 1 else f"{middle}{gap}({low}–{high},{gap}{len(values)} runs)"

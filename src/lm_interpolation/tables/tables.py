"""Tables: averages of scores with bootstrap intervals over prompts, one tidy table per sweep.

Every statistic is a ratio of two sums over texts (a mean is sum / count), so one bootstrap works for all of them
(``inference.bootstrap_ratio``). Prompts are resampled, not texts, because the samples of one prompt resemble each
other. All points of a table share their resamples (common random numbers), so differences along a curve are less noisy
than the intervals suggest.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lm_interpolation.jobs.runtime import UserError, atomic_path
from lm_interpolation.points.algebra import Point, Sweep
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.scores.statistic_values import summands
from lm_interpolation.statistics.inference import bootstrap_ratio

STATISTIC_COLUMNS = ["scorer", "statistic", "estimate", "low", "high", "n_prompts", "n_texts", "n_excluded"]


class _Cells:
    """The rows of a score file as cells of a matrix, prompts (sorted) x ``points`` (in their order).

    Raises ``UserError`` if a point lacks a prompt that another point has, ``ValueError`` if a text occurs twice. All
    rows must belong to ``points``.
    """

    def __init__(self, scores: pd.DataFrame, name: str, points: Sequence[str]) -> None:
        keys = [key for key in ("point", "row", "sample") if key in scores]
        if scores.duplicated(keys).any():
            raise ValueError(f"scorer {name}: a {tuple(keys)} occurs twice")
        point_codes = pd.Index(points).get_indexer(pd.Index(scores["point"].astype(str)))
        row_codes, rows = pd.factorize(scores["row"], sort=True)
        self._cells = row_codes * len(points) + point_codes
        self._shape = (len(rows), len(points))
        absent = np.argwhere(self.sums(np.ones(len(scores))) == 0)
        if len(absent):
            row, point = absent[0]
            raise UserError(
                f"scorer {name}: point {points[point]} has no score for prompt {rows[row]}, which other points have; "
                "delete the score files of this sweep and run again"
            )

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums of ``values`` (one per row of the score file) over the texts of each cell, (n_prompts, n_points)."""
        size = self._shape[0] * self._shape[1]
        return np.bincount(self._cells, weights=values, minlength=size).reshape(self._shape)


def statistic_matrix(
    scores: pd.DataFrame, name: str, statistics: Sequence[Statistic], statistic: str, points: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Numerators and denominators per prompt and point of one statistic of ``summarise``; the bootstrap resamples them.

    ``scores`` holds the rows of one prompt set at ``points`` (ids) and possibly others; ``statistics`` belong to the
    scorer ``name``. Returns (numerators, denominators, exponentiate): both arrays are (n_prompts, len(points)) float64,
    prompts sorted by row, points in the order given. The statistic at a point is the ratio of the column sums, or the
    exponential of that ratio if ``exponentiate`` (a corpus perplexity: the ratio is its NLL per token in nats).

    Raises ``UserError`` if a point has no score, if points do not have the same prompts, if the scorer has no such
    statistic, or if a value overflows; ``ValueError`` if a text occurs twice.
    """
    scores = scores[scores["point"].isin(list(points))]
    present = set(scores["point"])
    for point in points:
        if point not in present:
            raise UserError(f"scorer {name}: no score for point {point}; run the scoring of its sweep again")
    cells = _Cells(scores, name, points)
    found = {entry.name: entry for entry in summands(scores, name, statistics)}
    if statistic not in found:
        raise UserError(f"scorers.{name}: has no statistic {statistic!r}, but {', '.join(found)}")
    chosen = found[statistic]
    return cells.sums(chosen.numerator), cells.sums(chosen.denominator), chosen.exponentiate


def summarise(
    scores: pd.DataFrame, name: str, statistics: Sequence[Statistic], resamples: int, seed: int
) -> pd.DataFrame:
    """Statistics of one scorer at each point, with 95 % intervals over prompts (``inference.bootstrap_ratio``).

    ``scores`` holds the rows of one prompt set (columns: see ``score_files.write_scores``); ``statistics`` belong to
    the scorer ``name``. Returns one row per point (in order of appearance) and statistic, with columns ``point, scorer,
    statistic, estimate, low, high, n_prompts, n_texts, n_excluded``. The last three are the numbers of prompts and
    texts that count, and of texts excluded because they have no score.

    Raises ``UserError`` if the scores lack a column of a statistic, if points do not have the same prompts, or if a
    value overflows; ``ValueError`` if a text occurs twice.
    """
    points = list(pd.unique(scores["point"].astype(str)))
    cells = _Cells(scores, name, points)
    found = summands(scores, name, statistics)
    numerators = np.hstack([cells.sums(s.numerator) for s in found])
    denominators = np.hstack([cells.sums(s.denominator) for s in found])
    flat = bootstrap_ratio(numerators, denominators, resamples, seed)
    tables = []
    for index, statistic in enumerate(found):
        block = slice(index * len(points), (index + 1) * len(points))
        estimate, low, high = (values[block] for values in flat)
        if statistic.exponentiate:
            with np.errstate(over="ignore"):
                estimate, low, high = np.exp(estimate), np.exp(low), np.exp(high)
        # With few prompts an interval may reach beyond the possible values of the statistic.
        low, high = np.maximum(low, statistic.least), np.minimum(high, statistic.most)
        used = statistic.denominator > 0
        texts = cells.sums(statistic.texts * used).sum(axis=0)
        tables.append(
            pd.DataFrame(
                {
                    "point": points,
                    "scorer": name,
                    "statistic": statistic.name,
                    "estimate": estimate,
                    "low": low,
                    "high": high,
                    "n_prompts": (cells.sums(statistic.denominator) > 0).sum(axis=0),
                    "n_texts": texts.astype(np.int64),
                    "n_excluded": (cells.sums(statistic.texts).sum(axis=0) - texts).astype(np.int64),
                }
            )
        )
    table = pd.concat(tables, keys=range(len(tables)), names=["statistic_order", "point_order"])
    return table.sort_index(level=["point_order", "statistic_order"]).reset_index(drop=True)


def sweep_table(
    sweep: Sweep,
    scores: Mapping[str, Mapping[str, pd.DataFrame]],
    scorers: Mapping[str, Sequence[Statistic]],
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """The tidy table of a sweep: every statistic of every scorer at every point, for each of its prompt sets.

    ``scores[prompts][scorer]`` holds score rows (of the sweep's points, and possibly others), ``scorers`` the
    statistics of each scorer. Columns: ``sweep, prompts``, one float64 column per coordinate, ``point``, then those of
    ``summarise``. Rows are sorted by prompt set, coordinates (the last one first, as in the sweep), scorer and
    statistic.

    Raises ``UserError`` if a point of the sweep has no score, and whatever ``summarise`` raises.
    """
    coordinates = pd.DataFrame(
        [
            {name: float(value) for name, value in entry.coordinates} | {"point": entry.point.id}
            for entry in sweep.points
        ]
    )
    parts = []
    for prompts in sweep.prompts:
        summaries = []
        for name, statistics in scorers.items():
            frame = scores[prompts][name]
            missing = sorted(set(coordinates["point"]) - set(frame["point"]))
            if missing:
                raise UserError(f"sweep {sweep.name}, prompts {prompts}: no {name} score for point {missing[0]}")
            summaries.append(
                summarise(frame[frame["point"].isin(set(coordinates["point"]))], name, statistics, resamples, seed)
            )
        part = coordinates.merge(pd.concat(summaries), on="point", how="left", sort=False)
        part.insert(0, "prompts", prompts)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "sweep", sweep.name)
    return table[["sweep", "prompts", *sweep.coordinates, "point", *STATISTIC_COLUMNS]]


def coordinate_columns(table: pd.DataFrame) -> list[str]:
    """Names of the coordinates of a sweep table: the columns between ``prompts`` and ``point``."""
    columns = list(table.columns)
    return columns[columns.index("prompts") + 1 : columns.index("point")]


def grid_mask(points: np.ndarray) -> np.ndarray:
    """Which of ``points`` (n, 2) of a plane lie on its grid, (n,) bool; the others are anchors beside it.

    A value of a coordinate belongs to the grid if at least half of the grid's lines across it have a point there. The
    sparsest values are removed until that holds for all remaining ones.
    """
    inside = np.ones(len(points), dtype=bool)
    while inside.any():
        (x, in_x), (y, in_y) = (np.unique(points[inside, axis], return_counts=True) for axis in (0, 1))
        filled_x, filled_y = in_x / len(y), in_y / len(x)
        worst = min(filled_x.min(), filled_y.min())
        if worst >= 0.5:
            break
        inside &= ~(np.isin(points[:, 0], x[filled_x == worst]) | np.isin(points[:, 1], y[filled_y == worst]))
    return inside


def write_table(
    table: pd.DataFrame, path: str | os.PathLike[str], values: Sequence[str] = ("estimate", "low", "high")
) -> None:
    """Write a table as CSV, atomically; equal results give equal bytes.

    Columns ``values`` (float64) have six significant digits, which hides rounding differences between machines. Other
    numbers, such as coordinates, are exact. Booleans are ``true`` and ``false``. Missing values are empty.
    """
    text = table.copy()
    for column in values:
        text[column] = ["" if np.isnan(value) else f"{value:.6g}" for value in table[column]]
    for flag in table.select_dtypes(bool):
        text[flag] = table[flag].map({True: "true", False: "false"})
    with atomic_path(path) as scratch:
        text.to_csv(scratch, index=False, lineterminator="\n")


def read_table(path: str | os.PathLike[str], values: Sequence[str] = ("estimate", "low", "high")) -> pd.DataFrame:
    """The table that ``write_table`` wrote; only numbers in the columns ``values`` may be missing (NaN)."""
    # A prompt set may well be called "null".
    names = dict.fromkeys(("sweep", "prompts", "point", "scorer", "statistic", "class", "search", "pair"), str)
    # A barrier that is not measured has no coordinate.
    missing = {column: [""] for column in (*values, "coordinate")}
    return pd.read_csv(path, dtype=names, keep_default_na=False, na_values=missing)


def height_above_chord(alpha: np.ndarray, values: np.ndarray) -> np.ndarray:
    """value(alpha) - ((1 - alpha) value(0) + alpha value(1)) at each point of curves, exactly 0 at both ends.

    ``alpha`` (k,) ascends from 0 to 1; ``values`` is (..., k), float64, and so is the result.
    """
    return values - ((1 - alpha) * values[..., :1] + alpha * values[..., -1:])


@dataclass(frozen=True)
class Shown:
    """How a summary shows a scorer: its ``label``, names of statistics, and the one whose logarithm has a barrier."""

    label: str
    statistics: Sequence[str]
    barrier: str | None


def sweep_summary(table: pd.DataFrame, scorers: Mapping[str, Shown]) -> list[str]:
    """A few lines for people: statistics at coordinate 0, 1/2 and 1, where they are on the grid.

    Where both 0 and 1 are single models, a line gives the highest measured point between them, for the logarithm of the
    statistic that has a barrier. (``barriers.py`` measures the barrier, corrected for choosing the highest point.) The
    last lines count texts without a score, if there are any.
    """
    coordinates = coordinate_columns(table)
    lines = []
    for prompts, part in table.groupby("prompts", sort=False):
        head = f"{part['sweep'].iloc[0]}, prompts {prompts}: {part['point'].nunique()} points"
        lines.append(f"{head}, {part['n_prompts'].max()} prompts, {part['n_texts'].max()} texts per point")
        if len(coordinates) == 1:
            lines += [f"  {line}" for line in _curve_lines(part, coordinates[0], scorers)]
        excluded = part[part["n_excluded"] > 0]
        for (scorer, statistic), group in excluded.groupby(["scorer", "statistic"], sort=False):
            label = scorers[str(scorer)].label
            lines.append(f"  {label} {statistic}: up to {group['n_excluded'].max()} texts per point have no score")
    return lines


def _curve_lines(part: pd.DataFrame, coordinate: str, scorers: Mapping[str, Shown]) -> list[str]:
    lines = []
    for (scorer, statistic), curve in part.groupby(["scorer", "statistic"], sort=False):
        shown_of = scorers[str(scorer)]
        if statistic not in shown_of.statistics:
            continue
        shown = [
            f"{row['estimate']:.3g} [{row['low']:.3g}, {row['high']:.3g}] at {coordinate} = {row[coordinate]:g}"
            for row in curve[curve[coordinate].isin([0, 0.5, 1])].sort_values(coordinate).to_dict("records")
        ]
        if shown:
            lines.append(f"{shown_of.label} {statistic}: {', '.join(shown)}")
        if statistic == shown_of.barrier and all(single_model(curve, coordinate, end) for end in (0.0, 1.0)):
            lines.append(f"{shown_of.label} between {coordinate} = 0 and 1: {_highest(curve, coordinate)}")
    return lines


def _highest(curve: pd.DataFrame, coordinate: str) -> str:
    """How far the measured log perplexities between 0 and 1 rise above the chord."""
    inside = curve[curve[coordinate].between(0, 1)].sort_values(coordinate)
    at = inside[coordinate].to_numpy()
    if len(at) < 3:
        return "no point there, a barrier is not measured"
    heights = height_above_chord(at, np.log(inside["estimate"].to_numpy()))[1:-1]
    highest = int(heights.argmax())
    return f"highest point {heights[highest]:+.2g} nats per token from the chord, at {at[1 + highest]:g}"


def single_model(table: pd.DataFrame, coordinate: str, value: float) -> str | None:
    """Name of the model at ``coordinate`` = ``value``; None if that is not on the grid or is no model by itself."""
    points = table.loc[table[coordinate] == value, "point"]
    return Point.parse(points.iloc[0]).single if len(points) else None

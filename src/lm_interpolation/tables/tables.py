"""Tables: averages of scores with bootstrap intervals over prompts, one tidy table per sweep.

Every statistic is a ratio of two sums over texts (a mean is sum / count), so one bootstrap serves all of them
(``inference.bootstrap_ratio``). Prompts are resampled, not texts, because the samples of one prompt resemble each
other. All points of a table share their resamples (common random numbers), which makes differences along a curve less
noisy than the intervals suggest.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.jobs.runtime import UserError, atomic_path
from lm_interpolation.points.algebra import Point, Sweep
from lm_interpolation.statistics.inference import bootstrap_ratio

STATISTIC_COLUMNS = ["scorer", "statistic", "estimate", "low", "high", "n_prompts", "n_texts", "n_excluded"]


@dataclass(frozen=True)
class _Statistic:
    """Per row of a score file: the summand of the numerator and of the denominator, and the texts it stands for.

    ``least`` and ``most`` are the values that the statistic can have at all.
    """

    name: str
    numerator: np.ndarray
    denominator: np.ndarray
    texts: np.ndarray
    least: float
    most: float
    exponentiate: bool = False


def _statistics(scores: pd.DataFrame, name: str, scorer: Mapping[str, Any]) -> list[_Statistic]:
    def column(key: str) -> np.ndarray:
        return scores[key].to_numpy(dtype=np.float64, na_value=np.nan)

    def mean(statistic: str, values: np.ndarray, texts: np.ndarray, least: float, most: float) -> _Statistic:
        known = ~np.isnan(values)
        return _Statistic(statistic, np.where(known, values, 0.0), known.astype(np.float64), texts, least, most)

    ones = np.ones(len(scores))
    if scorer["kind"] == "classifier":
        classes = _probabilities(scores)
        score = classifier_score(scores, name, scorer["weights"])
        weights = [scorer["weights"].get(key.removeprefix("p_"), 0) for key in classes]
        values = np.column_stack([column(key) for key in classes])
        # Classes that exclude each other share one probability, others have one each.
        exclusive = np.nanmax(np.abs(values.sum(axis=1) - 1), initial=0) < 1e-3
        least = min(weights) if exclusive else sum(min(weight, 0) for weight in weights)
        most = max(weights) if exclusive else sum(max(weight, 0) for weight in weights)
        return [mean("score", score, ones, least, most)] + [mean(key, column(key), ones, 0, 1) for key in classes]
    if scorer["kind"] == "perplexity":
        statistics = []
        for part in ("continuation", "text"):
            nll, tokens = column(f"nll_{part}"), column(f"tokens_{part}")
            per_token = np.divide(nll, tokens, out=np.full(len(scores), np.nan), where=tokens > 0)
            with np.errstate(over="ignore"):
                perplexity = np.exp(per_token)
            if np.isinf(perplexity).any():
                worst = scores.iloc[int(np.argmax(perplexity == np.inf))]
                raise UserError(
                    f"scorer {name}: the {part} perplexity of prompt {worst['row']}, sample {worst['sample']} at point "
                    f"{worst['point']} overflows; leave that point out"
                )
            statistics.append(mean(f"{part}_mean", perplexity, ones, 1, math.inf))
            statistics.append(_Statistic(f"{part}_corpus", nll, tokens, ones, 0, math.inf, exponentiate=True))
        return statistics
    if scorer["kind"] == "distinct":
        return [mean(f"distinct_{size}", column(f"distinct_{size}"), column("texts"), 0, 1) for size in scorer["n"]]
    raise UserError(f"scorers.{name}.kind: {scorer['kind']!r} is not one of classifier, perplexity, distinct")


def classifier_score(scores: pd.DataFrame, name: str, weights: Mapping[str, float]) -> np.ndarray:
    """The weighted sum of class probabilities of each text, (n,) float64; NaN for a text without a score.

    ``scores`` has a column ``p_<class>`` for each class, ``name`` is that of the scorer. Raises ``UserError`` if
    ``weights`` names another class.
    """
    classes = [key.removeprefix("p_") for key in _probabilities(scores)]
    unknown = sorted(set(weights) - set(classes))
    if unknown:
        raise UserError(f"scorers.{name}.weights: no class {unknown}; the model's classes are {classes}")
    values = (scores[f"p_{key}"].to_numpy(dtype=np.float64, na_value=np.nan) for key in weights)
    return sum((weight * value for weight, value in zip(weights.values(), values, strict=True)), np.zeros(len(scores)))


def _probabilities(scores: pd.DataFrame) -> list[str]:
    return [key for key in map(str, scores) if key.startswith("p_")]


class _Cells:
    """The rows of a score file as cells of a matrix, prompts (sorted) x ``points`` (in their order).

    Raises ``UserError`` if a point has no row of a prompt that another point has, ``ValueError`` if a text occurs
    twice. Rows of other points than ``points`` are not allowed.
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
    scores: pd.DataFrame, name: str, scorer: Mapping[str, Any], statistic: str, points: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, bool]:
    """The sums that one statistic of ``summarise`` is made of, per prompt and point: what the bootstrap resamples.

    ``scores`` holds the rows of one prompt set (of ``points``, ids, and possibly others), ``scorer`` is the config
    entry of the scorer called ``name``. Returns (numerators, denominators, exponentiate): both arrays are (n_prompts,
    len(points)) float64, prompts sorted by row, points in the order given. The statistic at a point is the ratio of the
    column sums, or exp of it if ``exponentiate`` (a corpus perplexity: the ratio is its NLL per token in nats).

    Raises ``UserError`` if a point has no score, if points do not have the same prompts, if the scorer has no such
    statistic, or if the perplexity of a text overflows; ``ValueError`` if a text occurs twice.
    """
    scores = scores[scores["point"].isin(list(points))]
    present = set(scores["point"])
    for point in points:
        if point not in present:
            raise UserError(f"scorer {name}: no score for point {point}; run the scoring of its sweep again")
    cells = _Cells(scores, name, points)
    statistics = {entry.name: entry for entry in _statistics(scores, name, scorer)}
    if statistic not in statistics:
        raise UserError(f"scorers.{name}: has no statistic {statistic!r}, but {', '.join(statistics)}")
    chosen = statistics[statistic]
    return cells.sums(chosen.numerator), cells.sums(chosen.denominator), chosen.exponentiate


def summarise(scores: pd.DataFrame, name: str, scorer: Mapping[str, Any], resamples: int, seed: int) -> pd.DataFrame:
    """Statistics of one scorer at each point, with 95 % intervals over prompts (``inference.bootstrap_ratio``).

    ``scores`` holds the rows of one prompt set (columns: see ``scores/``), ``scorer`` is its config entry. Returns
    one row per point (in order of appearance) and statistic, with columns ``point, scorer, statistic, estimate, low,
    high, n_prompts, n_texts, n_excluded``: prompts and texts that count, and texts that do not because they have no
    score (no token, no predictable token, no word). Statistics:

    - classifier: ``score`` = mean of sum_k weights[k] P(k) (our reading of Eq. 6 of arXiv 2211.12092: P(positive) +
      P(neutral) / 2), and ``p_<class>``, the mean of each probability;
    - perplexity: ``continuation_mean`` = mean over texts of exp(NLL / tokens) of the continuation given the prompt,
      ``continuation_corpus`` = exp(sum NLL / sum tokens), and ``text_mean``, ``text_corpus`` for prompt + continuation;
    - distinct: ``distinct_<n>``, the mean over prompts.

    Raises ``UserError`` if the weights name an unknown class, if points do not have the same prompts, or if the
    perplexity of a text overflows; ``ValueError`` if a text occurs twice.
    """
    points = list(pd.unique(scores["point"].astype(str)))
    cells = _Cells(scores, name, points)
    statistics = _statistics(scores, name, scorer)
    numerators = np.hstack([cells.sums(s.numerator) for s in statistics])
    denominators = np.hstack([cells.sums(s.denominator) for s in statistics])
    flat = bootstrap_ratio(numerators, denominators, resamples, seed)
    tables = []
    for index, statistic in enumerate(statistics):
        block = slice(index * len(points), (index + 1) * len(points))
        estimate, low, high = (values[block] for values in flat)
        # Of few prompts an interval may reach beyond what the statistic can be.
        low, high = np.maximum(low, statistic.least), np.minimum(high, statistic.most)
        if statistic.exponentiate:
            with np.errstate(over="ignore"):
                estimate, low, high = np.exp(estimate), np.exp(low), np.exp(high)
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
    scorers: Mapping[str, Mapping[str, Any]],
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """The tidy table of a sweep: every statistic of every scorer at every point, for each of its prompt sets.

    ``scores[prompts][scorer]`` holds score rows (of the sweep's points, and possibly others); ``scorers`` their config
    entries. Columns: ``sweep, prompts``, one float64 column per coordinate, ``point``, then those of ``summarise``.
    Sorted by prompt set, coordinates (the last one first, as in the sweep), scorer and statistic.

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
        for name, scorer in scorers.items():
            frame = scores[prompts][name]
            missing = sorted(set(coordinates["point"]) - set(frame["point"]))
            if missing:
                raise UserError(f"sweep {sweep.name}, prompts {prompts}: no {name} score for point {missing[0]}")
            summaries.append(
                summarise(frame[frame["point"].isin(set(coordinates["point"]))], name, scorer, resamples, seed)
            )
        part = coordinates.merge(pd.concat(summaries), on="point", how="left", sort=False)
        part.insert(0, "prompts", prompts)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "sweep", sweep.name)
    return table[["sweep", "prompts", *sweep.directions, "point", *STATISTIC_COLUMNS]]


def coordinate_columns(table: pd.DataFrame) -> list[str]:
    """Names of the coordinates of a sweep table: the columns between ``prompts`` and ``point``."""
    columns = list(table.columns)
    return columns[columns.index("prompts") + 1 : columns.index("point")]


def grid_mask(points: np.ndarray) -> np.ndarray:
    """Which of ``points`` (n, 2) of a plane lie on its grid, (n,) bool; the others are anchors beside it.

    A value of a coordinate belongs to the grid if at least half of the grid's lines across it have a point there: the
    sparsest values are put aside until that holds for all that remain.
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

    Columns ``values`` (float64) have six significant digits, which hides differences of rounding between machines.
    Other numbers, coordinates for instance, are exact. Booleans are ``true`` and ``false``. What is missing is empty.
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
    # A barrier that is not measured lies nowhere.
    missing = {column: [""] for column in (*values, "coordinate")}
    return pd.read_csv(path, dtype=names, keep_default_na=False, na_values=missing)


def height_above_chord(alpha: np.ndarray, values: np.ndarray) -> np.ndarray:
    """value(alpha) - ((1 - alpha) value(0) + alpha value(1)) at each point of curves, exactly 0 at both ends.

    ``alpha`` (k,) ascends from 0 to 1; ``values`` is (..., k), float64, and so is the result.
    """
    return values - ((1 - alpha) * values[..., :1] + alpha * values[..., -1:])


def sweep_summary(table: pd.DataFrame) -> list[str]:
    """A few lines for people: scores and perplexities at coordinate 0, 1/2 and 1, where they are on the grid.

    Where both 0 and 1 are single models, the highest point between them is told as measured; the barrier, corrected for
    the choice of the highest, is that of ``barriers.py``. Texts without a score are told where there are any.
    """
    coordinates = coordinate_columns(table)
    lines = []
    for prompts, part in table.groupby("prompts", sort=False):
        head = f"{part['sweep'].iloc[0]}, prompts {prompts}: {part['point'].nunique()} points"
        lines.append(f"{head}, {part['n_prompts'].max()} prompts, {part['n_texts'].max()} texts per point")
        if len(coordinates) == 1:
            lines += [f"  {line}" for line in _curve_lines(part, coordinates[0])]
        excluded = part[part["n_excluded"] > 0]
        for (scorer, statistic), group in excluded.groupby(["scorer", "statistic"], sort=False):
            lines.append(f"  {scorer} {statistic}: up to {group['n_excluded'].max()} texts per point have no score")
    return lines


def _curve_lines(part: pd.DataFrame, coordinate: str) -> list[str]:
    lines = []
    for (scorer, statistic), curve in part.groupby(["scorer", "statistic"], sort=False):
        if statistic not in ("score", "continuation_mean", "continuation_corpus"):
            continue
        shown = [
            f"{row['estimate']:.3g} [{row['low']:.3g}, {row['high']:.3g}] at {coordinate} = {row[coordinate]:g}"
            for row in curve[curve[coordinate].isin([0, 0.5, 1])].sort_values(coordinate).to_dict("records")
        ]
        if shown:
            lines.append(f"{scorer} {statistic}: {', '.join(shown)}")
        if statistic == "continuation_corpus" and all(single_model(curve, coordinate, end) for end in (0.0, 1.0)):
            lines.append(f"{scorer} between {coordinate} = 0 and 1: {_highest(curve, coordinate)}")
    return lines


def _highest(curve: pd.DataFrame, coordinate: str) -> str:
    """How high the log perplexities between 0 and 1 lie above the chord, as they were measured."""
    inside = curve[curve[coordinate].between(0, 1)].sort_values(coordinate)
    at = inside[coordinate].to_numpy()
    if len(at) < 3:
        return "no point there, a barrier is not measured"
    heights = height_above_chord(at, np.log(inside["estimate"].to_numpy()))[1:-1]
    highest = int(heights.argmax())
    return f"highest point {heights[highest]:+.2g} nats per token from the chord, at {at[1 + highest]:g}"


def single_model(table: pd.DataFrame, coordinate: str, value: float) -> str | None:
    """Name of the model at ``coordinate`` = ``value``; None if that is not on the grid or a mixture of models."""
    points = table.loc[table[coordinate] == value, "point"]
    models: Sequence[str] = Point.parse(points.iloc[0]).models if len(points) else ()
    return models[0] if len(models) == 1 else None

"""Verdicts on the claims of the paper: a value, its bootstrap interval, a threshold, and whether the claim holds.

The kinds of claims are declared in ``claim_kinds.py`` and computed here, each by one function of a claim's keys and the
study's data. Intervals are 95 % percentile bootstrap intervals (Efron 1979) over prompts, texts, words or tensors;
everything that is computed from the same prompts shares its resamples, so that differences are paired.
"""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workflow.lib import claim_kinds
from workflow.lib.judges import MARK, Judge
from workflow.lib.losses import loss_matrix
from workflow.lib.markdown import bullets, plain, table_row
from workflow.lib.points import Sweep
from workflow.lib.runtime import UserError, atomic_path, error_prefix
from workflow.lib.tables import LEVEL, bootstrap_curves, grid_mask, height_above_chord, statistic_matrix

PathLike = str | os.PathLike[str]

HOLDS, FAILS, NOT_TESTED = "holds", "does not hold", "not tested"

FEW = 0.05
"""Share of resamples in which a statistic may be undefined; with more, its interval would not be what it says."""


class NotTested(Exception):
    """The data do not allow to test a claim; the message says why."""


@dataclass(frozen=True)
class ClaimData:
    """What claims are computed from.

    ``scores(sweep, prompts, scorer)`` gives score rows (see ``scoring.ScoreFiles``); ``tables`` and ``losses`` are the
    tables of analyses (see ``read_analysis``) and their raw losses (see ``losses.read_losses``) by name. ``judges`` has
    the judge of each scorer that is a classifier. ``resamples`` and ``seed`` set the bootstrap.
    """

    sweeps: Mapping[str, Sweep]
    scorers: Mapping[str, Mapping[str, Any]]
    scores: Callable[[Sweep, str, str], pd.DataFrame]
    tables: Mapping[str, pd.DataFrame]
    losses: Mapping[str, pd.DataFrame]
    judges: Mapping[str, Judge]
    resamples: int
    seed: int


@dataclass(frozen=True)
class Measured:
    """A statistic, its bootstrap draws ((resamples,), NaN where undefined; None: it has no interval), and a remark."""

    value: float
    draws: np.ndarray | None
    note: str = ""


# --- reading


def read_analysis(path: PathLike) -> pd.DataFrame:
    """The table of an analysis, every column as text: a word may well be called "nan"."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    """A column of ``read_analysis`` as float64; an empty field is NaN."""
    return table[column].replace("", "nan").to_numpy(dtype=np.float64)


def _rows(table: pd.DataFrame, spec: Mapping[str, Any], **wanted: str) -> pd.DataFrame:
    """The rows of an analysis' table whose columns have the ``wanted`` values, of which there is at least one."""
    for column, value in wanted.items():
        known = list(dict.fromkeys(table[column]))
        if value not in known:
            raise UserError(f"analysis {spec['analysis']} has no {column} {value!r}, but {', '.join(known)}")
        table = table[table[column] == value]
    return table


# --- curves


@dataclass(frozen=True)
class _Curve:
    """One statistic over points: coordinates (k, c), values (k,) and their bootstrap draws (resamples, k)."""

    coordinates: np.ndarray
    values: np.ndarray
    draws: np.ndarray

    @property
    def at(self) -> np.ndarray:
        """The coordinate (k,), ascending, of a curve that has only one."""
        return self.coordinates[:, 0]

    @property
    def all(self) -> np.ndarray:
        """Values and draws in one array (1 + resamples, k), the values first."""
        return np.vstack([self.values, self.draws])

    def part(self, low: float, high: float) -> np.ndarray:
        """Mask (k,) of the points with coordinates in [low, high], ends included."""
        return (self.at >= low) & (self.at <= high)


def _bootstrap(
    data: ClaimData, coordinates: np.ndarray, numerators: np.ndarray, denominators: np.ndarray, unit: str
) -> _Curve:
    """Curve of the ratios of column sums. Raises ``NotTested`` where fewer than two units (rows) count at a point."""
    known = (denominators > 0).sum(axis=0)
    if known.min() < 2:
        where = ", ".join(f"{value:g}" for value in coordinates[known.argmin()])
        raise NotTested(f"an interval needs 2 {unit} that count; at {where} there are {known.min()}")
    return _Curve(coordinates, *bootstrap_curves(numerators, denominators, data.resamples, data.seed))


def _curve(
    data: ClaimData,
    sweep: str,
    prompts: str,
    scorer: str,
    statistic: str,
    scale: str = "linear",
    within: Sequence[float] = (-math.inf, math.inf),
) -> _Curve:
    """One statistic (with scale log its logarithm) over the points of a sweep whose coordinates all lie within a range.

    Raises ``NotTested`` if there is no such point or if a value has no logarithm.
    """
    found = data.sweeps[sweep]
    entries = sorted(
        (tuple(float(value) for _, value in entry.coordinates), entry.point.id)
        for entry in found.points
        if all(within[0] <= value <= within[1] for _, value in entry.coordinates)
    )
    if not entries:
        raise NotTested(f"{sweep} has no point within [{within[0]:g}, {within[1]:g}]")
    coordinates = np.array([values for values, _ in entries])
    scores = data.scores(found, prompts, scorer)
    # Where directions depend on each other, two coordinates may name one point.
    points, places = np.unique([point for _, point in entries], return_inverse=True)
    numerators, denominators, exponentiate = statistic_matrix(
        scores, scorer, data.scorers[scorer], statistic, points.tolist()
    )
    curve = _bootstrap(data, coordinates, numerators[:, places], denominators[:, places], "prompts")
    if exponentiate == (scale == "log"):
        return curve
    if exponentiate:
        return _Curve(coordinates, np.exp(curve.values), np.exp(curve.draws))
    if curve.values.min() <= 0:
        raise NotTested(f"{scorer} {statistic} of {sweep} reaches {curve.values.min():g}, which has no logarithm")
    # A resample may hold nothing but zeros where the whole does not.
    positive = np.where(curve.draws > 0, curve.draws, np.nan)
    return _Curve(coordinates, np.log(curve.values), np.log(positive))


def _line(data: ClaimData, spec: Mapping[str, Any], **keys: Any) -> _Curve:
    """The curve that a claim names; ``keys`` replace those of the claim."""
    used = {"scale": "linear", "within": (-math.inf, math.inf), **spec, **keys}
    curve = _curve(data, **{key: used[key] for key in ("sweep", "prompts", "scorer", "statistic", "scale", "within")})
    if curve.coordinates.shape[1] != 1:
        raise UserError(f"sweep {used['sweep']} has {curve.coordinates.shape[1]} coordinates; name one with one")
    return curve


def _losses(data: ClaimData, spec: Mapping[str, Any], statistic: str) -> _Curve:
    """Mean loss of one class of texts over the points of a loss analysis: per text or per predicted token, in nats."""
    rows = _rows(data.tables[spec["analysis"]], spec, **{"class": spec["class"], "statistic": statistic})
    columns = list(rows.columns)
    names = columns[columns.index("sweep") + 1 : columns.index("point")]
    coordinates = np.column_stack([_numbers(rows, name) for name in names])
    order = np.lexsort(coordinates.T[::-1])
    points, places = np.unique(rows["point"].to_numpy(dtype=str)[order], return_inverse=True)
    with error_prefix(f"losses of {spec['analysis']}"):
        nll, tokens = loss_matrix(data.losses[spec["analysis"]], points.tolist(), spec["class"])
    denominators = tokens if statistic == "nll_token" else np.ones_like(nll)
    return _bootstrap(data, coordinates[order], nll[:, places], denominators[:, places], "texts")


# --- statistics, vectorised over the leading axis of (n, k) values


def spearman(values: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each row of ``values`` (n, k) with the order of its columns, (n,) float64.

    Ties share their mean rank. A row of equal values neither rises nor falls: 0. A row with a NaN gives NaN.
    """
    below = (values[:, :, None] > values[:, None, :]).sum(axis=2)
    equal = (values[:, :, None] == values[:, None, :]).sum(axis=2)
    ranks = below + (equal - 1) / 2
    k = values.shape[1]
    deviations = ranks - (k - 1) / 2
    order = np.arange(k) - (k - 1) / 2
    norms = np.sqrt((deviations**2).sum(axis=1) * (order**2).sum())
    rho = np.divide(deviations @ order, norms, out=np.zeros(len(values)), where=norms > 0)
    return np.where(np.isnan(values).any(axis=1), np.nan, rho)


def _barrier_of(curve: _Curve) -> Measured:
    inside = curve.part(0, 1)
    at = curve.at[inside]
    if len(at) < 3 or at[0] != 0 or at[-1] != 1:
        raise NotTested("a barrier needs values at 0, at 1, and between")
    heights = height_above_chord(at, curve.all[:, inside])
    highest = heights.max(axis=1)
    note = f"highest at {at[heights[0].argmax()]:g}; points in [0, 1]: {len(at)}"
    return Measured(float(highest[0]), highest[1:], note)


def _barrier(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """max over [0, 1] of log perplexity - its chord, in nats per token (as ``tables.barrier``'s log_value)."""
    return _barrier_of(_line(data, spec, statistic="continuation_corpus", scale="log", within=(0, 1)))


def _loss_barrier(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """max over [0, 1] of the NLL per token - its chord, in nats (Frankle et al. 2020, against the chord)."""
    curve = _losses(data, spec, "nll_token")
    if curve.coordinates.shape[1] != 1:
        raise UserError(f"analysis {spec['analysis']} runs over a plane; name one along a line")
    return _barrier_of(curve)


def _sign(word: str, positive: str) -> int:
    return 1 if word == positive else -1


def _monotone(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Spearman correlation of the statistic with the coordinate within a range, negated for ``falling``."""
    curve = _line(data, spec)
    if len(curve.at) < 3:
        raise NotTested(f"a correlation needs 3 points in the range; {spec['sweep']} has {len(curve.at)}")
    rho = _sign(spec["direction"], "rising") * spearman(curve.all)
    return Measured(float(rho[0]), rho[1:], f"points: {len(curve.at)}")


def _stable(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """How far the worst value within a range lies beyond the worst in [0, 1], to the worse side; 0 if it does not."""
    low, high = spec["within"]
    curve = _line(data, spec, within=(min(low, 0), max(high, 1)))
    reference, tested = curve.part(0, 1), curve.part(low, high)
    if not reference.any() or not tested.any():
        raise NotTested(f"{spec['sweep']} has no point in [0, 1] or none in [{low:g}, {high:g}]")
    bad = curve.all * _sign(spec["worse"], "higher")
    excess = np.maximum(bad[:, tested].max(axis=1) - bad[:, reference].max(axis=1), 0)
    worst = curve.at[tested][bad[0, tested].argmax()]
    return Measured(float(excess[0]), excess[1:], f"worst at {worst:g}; points: {tested.sum()}")


def _words(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean over the words of a group of Spearman's correlation of P(word) with the coordinate, negated for ``falling``.

    The interval is over words: it says what another choice of words might have given.
    """
    rows = _rows(data.tables[spec["analysis"]], spec, kind="word", group=spec["group"])
    name = rows.columns[list(rows.columns).index("sweep") + 1]
    at = _numbers(rows, name)
    rows = rows.assign(**{name: at, "probability": _numbers(rows, "probability")})
    rows = rows[(at >= spec["within"][0]) & (at <= spec["within"][1])]
    table = rows.pivot(index="text", columns=name, values="probability").sort_index(axis=1)
    if table.shape[0] < 2 or table.shape[1] < 3:
        raise NotTested(f"it takes 2 words and 3 points in the range, not {table.shape[0]} and {table.shape[1]}")
    rho = _sign(spec["direction"], "rising") * spearman(table.to_numpy(np.float64))
    estimate, draws = bootstrap_curves(rho[:, None], np.ones((len(rho), 1)), data.resamples, data.seed)
    least = int(rho.argmin())
    note = f"words: {len(rho)}, points: {table.shape[1]}; least for {table.index[least]!r}, {compact(rho[least])}"
    return Measured(float(estimate[0]), draws[:, 0], note)


def _records(score: np.ndarray) -> np.ndarray:
    """Mask (k,) of the points whose score exceeds that of all points before them."""
    return score > np.concatenate([[-np.inf], np.maximum.accumulate(score)[:-1]])


def _better(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean difference of a statistic between two sweeps at equal score: ``sweep`` minus ``than``.

    On each curve only the branch with coordinate >= 0 counts, and of it the points whose score exceeds that of all
    before: there the score rises strictly, and the statistic (its logarithm with scale log) is a piecewise linear
    function of the score. The difference of these two functions is averaged (exactly, by the trapezoids between all
    their knots) over the common range of scores: from ``from_score``, or without this key from the score that ``than``
    has at coordinate 1 (the fine-tuned model itself, of theta_1), but not below where either curve starts; up to the
    smaller of the two maxima. The range is determined anew in each resample.
    """
    branch = {"within": (0, math.inf)}
    curves = [
        (
            _line(data, {**spec, **branch}, sweep=name),
            _line(data, {**spec, **spec["score"], **branch, "sweep": name, "scale": "linear"}),
        )
        for name in (spec["sweep"], spec["than"])
    ]
    at_one = np.flatnonzero(curves[1][1].at == 1)
    if "from_score" not in spec and not len(at_one):
        raise NotTested(
            f"{spec['than']} has no point at coordinate 1, where the range of scores begins; set from_score"
        )
    stacked = [(statistic.all, score.all) for statistic, score in curves]

    def difference(draw: int) -> tuple[float, float, float]:
        """Mean difference and the range of scores (empty: NaN) in one row of ``_Curve.all``."""
        functions = []
        for statistics, scores in stacked:
            chosen = _records(scores[draw])
            functions.append((scores[draw, chosen], statistics[draw, chosen]))
        start = spec["from_score"] if "from_score" in spec else stacked[1][1][draw, at_one[0]]
        low = max(start, *(knots[0] for knots, _ in functions))
        high = min(knots[-1] for knots, _ in functions)
        if not low < high:
            return math.nan, low, high
        knots = np.unique(np.concatenate([[low, high], *(knots for knots, _ in functions)]))
        knots = knots[(knots >= low) & (knots <= high)]
        gap = np.interp(knots, *functions[0]) - np.interp(knots, *functions[1])
        return float(np.trapezoid(gap, knots) / (high - low)), low, high

    value, low, high = difference(0)
    shown = f"scores from {compact(low)} to {compact(high)}"
    if math.isnan(value):
        raise NotTested(f"the two curves share no range of scores ({shown})")
    defined = np.all([np.isfinite(values).all(axis=1) for pair in stacked for values in pair], axis=0)
    draws = [difference(draw)[0] if defined[draw] else math.nan for draw in range(1, len(defined))]
    return Measured(value, np.array(draws), shown)


def _reach(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Highest value of a statistic over all coordinates of ``sweep``, minus the highest over those of ``than``."""
    curves = [_line(data, {**spec, "sweep": spec[key]}) for key in ("sweep", "than")]
    one, than = (curve.all.max(axis=1) for curve in curves)
    shown = (f"{compact(curve.values.max())} at {curve.at[curve.values.argmax()]:g}" for curve in curves)
    return Measured(float(one[0] - than[0]), one[1:] - than[1:], f"highest: {', of the other '.join(shown)}")


def _valley(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean of |sum of the coordinates - ``sum``| over the share ``lowest`` of grid points with the lowest values.

    That is how far these points lie from the line. The distance of their mean would be 0 for points on both sides.
    """
    if "analysis" in spec:
        curve = _losses(data, spec, spec["statistic"])
    else:
        curve = _curve(data, spec["sweep"], spec["prompts"], spec["scorer"], spec["statistic"])
    if curve.coordinates.shape[1] != 2:
        raise UserError(f"has {curve.coordinates.shape[1]} coordinates; name a sweep or an analysis with two")
    grid = grid_mask(curve.coordinates)  # an anchor would pull the mean to itself
    values, sums = curve.all[:, grid], curve.coordinates[grid].sum(axis=1)
    # Rounding must not add a point: 0.07 * 100 is 7.000000000000001.
    count = max(1, math.ceil(round(spec["lowest"] * len(sums), 9)))
    lowest = np.argsort(values, axis=1, kind="stable")[:, :count]
    distances = np.abs(sums - spec["sum"])
    distance = np.where(np.isnan(values).any(axis=1), np.nan, distances[lowest].mean(axis=1))
    note = f"mean sum {compact(sums[lowest[0]].mean())}; lowest points: {count} of {len(sums)}"
    note += f"; mean distance of all: {compact(distances.mean())}"
    return Measured(float(distance[0]), distance[1:], note)


def _difference(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """max |difference| of a statistic (its log) between two sweeps, over the coordinates that they share in a range."""
    one, other = _line(data, spec), _line(data, spec, sweep=spec["other"])
    at, first, second = np.intersect1d(one.at, other.at, return_indices=True)
    if not len(at):
        raise NotTested(f"{spec['sweep']} and {spec['other']} share no coordinate in the range")
    gaps = np.abs(one.all[:, first] - other.all[:, second])
    largest = gaps.max(axis=1)
    return Measured(float(largest[0]), largest[1:], f"largest at {at[gaps[0].argmax()]:g}; shared points: {len(at)}")


def _norms(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Ratio of the scaled norms of two weight differences: median over tensors, bootstrapped over tensors.

    Of pairs with the same tensors (names and sizes) the median of the ratios, else the ratio of the medians.
    """
    norms, sizes = [], []
    for key in ("pair", "against"):
        rows = _rows(data.tables[spec["analysis"]], spec, pair=spec[key]).sort_values("tensor")
        norms.append(_numbers(rows, "scaled_norm"))
        sizes.append(list(zip(rows["tensor"], rows["elements"], strict=True)))
        if len(rows) < 2:
            raise NotTested(f"an interval needs 2 tensors; {spec[key]} has {len(rows)}")
    if not norms[1].min() > 0:
        tensor = sizes[1][int(norms[1].argmin())][0]
        raise NotTested(f"{tensor} does not differ in {spec['against']}; there is no ratio to it")
    generator = np.random.default_rng(data.seed)

    def draws(values: np.ndarray) -> np.ndarray:
        return np.median(values[generator.integers(len(values), size=(data.resamples, len(values)))], axis=1)

    if sizes[0] == sizes[1]:
        ratios = norms[0] / norms[1]
        return Measured(float(np.median(ratios)), draws(ratios), f"{len(ratios)} tensors, matched by name")
    medians = [np.median(values) for values in norms]
    note = f"ratio of the medians: the pairs have different tensors ({len(norms[0])} and {len(norms[1])})"
    return Measured(float(medians[0] / medians[1]), draws(norms[0]) / draws(norms[1]), note)


def _middle(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """How far every point in the middle lies above the higher end, or below the lower end; < 0 if one does not."""
    low, high = spec["within"]
    curve = _line(data, spec, within=(min(low, 0), max(high, 1)))
    ends, middle = (curve.at == 0) | (curve.at == 1), curve.part(low, high)
    if ends.sum() < 2 or not middle.any():
        raise NotTested(f"{spec['sweep']} has no point at 0, at 1, or in [{low:g}, {high:g}]")
    values = _sign(spec["sign"], "above") * curve.all
    height = values[:, middle].min(axis=1) - values[:, ends].max(axis=1)
    note = f"least at {curve.at[middle][values[0, middle].argmin()]:g}; points in the middle: {middle.sum()}"
    return Measured(float(height[0]), height[1:], note)


def _linear(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """A number of the linearity summary. It is computed, not sampled: no interval."""
    rows = _rows(data.tables[spec["analysis"]], spec, quantity=spec["quantity"])
    if len(rows) != 1:
        raise ValueError(f"analysis {spec['analysis']}: {len(rows)} rows for {spec['quantity']} in its summary")
    value = float(_numbers(rows, spec["column"])[0])
    if math.isnan(value):
        raise NotTested(f"{spec['column']} of the {spec['quantity']} is not defined on these points")
    return Measured(value, None, "deterministic, without an interval")


TESTS: dict[str, Callable[[Mapping[str, Any], ClaimData], Measured]] = {
    "barrier": _barrier,
    "monotone": _monotone,
    "stable": _stable,
    "words": _words,
    "better": _better,
    "reach": _reach,
    "valley": _valley,
    "difference": _difference,
    "norms": _norms,
    "middle": _middle,
    "linear": _linear,
    "loss_barrier": _loss_barrier,
}


# --- verdicts


def judge(name: str, spec: Mapping[str, Any], data: ClaimData) -> dict[str, Any]:
    """The verdict on one claim, as an entry of ``claims.json``.

    Keys: ``name, section, statement, test, statistic, value, low, high, unit, threshold, direction, verdict,
    weak_judge, reason, note``, of which ``weak_judge`` says whether a statistic comes from a weak judge. Numbers are
    rounded to six significant digits before they are compared with the threshold, so that the entry agrees with itself.
    The claim holds if the value and both ends of its interval meet the threshold. It is not tested, and the note says
    why, if the data do not give the value, or if the statistic is undefined in more than ``FEW`` of the resamples, so
    that there is no interval to judge by.

    Raises ``UserError`` with the claim's key if it names what the data do not have.
    """
    filled = claim_kinds.with_defaults(spec)
    with error_prefix(f"claims.{name}"):
        try:
            measured = TESTS[spec["test"]](filled, data)
        except NotTested as reason:
            return untested(name, spec, str(reason))
    if not math.isfinite(measured.value):
        raise ValueError(f"claims.{name}: the statistic is {measured.value}")
    weak = any(
        scorer in data.judges and data.judges[scorer].is_weak(statistic)
        for scorer, statistic in claim_kinds.statistics(spec)
    )
    entry = _entry(name, spec) | {"value": _round(measured.value), "weak_judge": weak, "note": measured.note}
    decisive = [entry["value"]]
    if measured.draws is not None:
        defined = measured.draws[np.isfinite(measured.draws)]
        lost = len(measured.draws) - len(defined)
        if lost:
            entry["note"] += f"; undefined in {lost} of {len(measured.draws)} resamples"
        if lost > FEW * len(measured.draws):
            return entry | {"verdict": NOT_TESTED, "note": entry["note"] + ", so there is no interval to judge by"}
        low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        entry |= {"low": _round(low), "high": _round(high)}
        decisive += [entry["low"], entry["high"]]
    threshold = spec["threshold"]
    meets = max(decisive) <= threshold if entry["direction"] == claim_kinds.AT_MOST else min(decisive) >= threshold
    return entry | {"verdict": HOLDS if meets else FAILS}


def untested(name: str, spec: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The entry of a claim that is not tested, for this ``reason``."""
    return _entry(name, spec) | {"verdict": NOT_TESTED, "note": reason}


def _entry(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    words = claim_kinds.words(spec)
    return {
        "name": name,
        "section": words["section"],
        "statement": words["statement"],
        "test": spec["test"],
        "statistic": words["statistic"],
        "value": None,
        "low": None,
        "high": None,
        "unit": claim_kinds.unit(spec),
        "threshold": spec["threshold"],
        "direction": claim_kinds.direction(spec),
        "verdict": NOT_TESTED,
        "weak_judge": False,
        "reason": spec["reason"],
        "note": "",
    }


def _round(value: float) -> float:
    # + 0.0 turns a negative zero into zero.
    return float(f"{value:.6g}") + 0.0


# --- output


def compact(value: float) -> str:
    """``value`` with three significant digits, in plain notation where that is readable: 0.0123, 1230, 1.2e-06."""
    rounded = float(f"{value:.3g}")
    if rounded == 0 or 1e-4 <= abs(rounded) < 1e6:
        return np.format_float_positional(rounded + 0.0, trim="-")
    return f"{rounded:.3g}"


_RULE = f"""\
A claim **holds** if its value and the whole {LEVEL:.0%} bootstrap interval (in brackets) meet the threshold: the \
unfavourable end decides. Otherwise it **does not hold**; that our run does not support it is a result too. A value \
that is computed rather than sampled has no interval and decides by itself. A claim is **not tested** where the data \
are not there or do not suffice for an interval. A verdict with the words "{MARK}" means little: it rests on a \
classifier that can hardly tell the classes apart. Prompts, texts, words or tensors are resampled, and all curves of \
one prompt set share their resamples. Noise raises barriers and differences and lowers correlations: it tends to count \
against a claim."""


def claims_markdown(
    study: str, entries: Sequence[Mapping[str, Any]], judges: Sequence[str], leaks: Sequence[str]
) -> str:
    """``claims.md``: the rule of verdicts, how many claims hold, a table, and the reasons and remarks per claim.

    ``judges`` says of each scorer in one line what judges, and how well; ``leaks`` are those of ``leaks.leak_lines``.
    """
    count = {verdict: sum(entry["verdict"] == verdict for entry in entries) for verdict in (HOLDS, FAILS, NOT_TESTED)}
    lines = [
        f"# Claims of arXiv 2211.12092 in the study {study}",
        "",
        _RULE,
        "",
        *_items("Judges", judges),
        *_items("Data", leaks),
        "Verdicts: " + ", ".join(f"{verdict} {number}" for verdict, number in count.items()) + f", of {len(entries)}.",
        "",
        "| § | claim | statistic | value [interval] | threshold | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for entry in entries:
        threshold = f"{entry['direction']} {compact(entry['threshold'])}"
        cells = [
            plain(entry["section"]),
            f"{plain(entry['statement'])} (`{entry['name']}`)",
            plain(f"{entry['statistic']} ({entry['unit']})"),
        ]
        cells += [_value(entry), threshold, f"**{entry['verdict']}**" + f" ({MARK})" * entry["weak_judge"]]
        lines.append(table_row(cells))
    for entry in entries:
        mark = f", {MARK}" * entry["weak_judge"]
        lines += [
            "",
            f"**{plain(entry['name'])}** ({entry['verdict']}{mark})",
            *bullets([f"Threshold: {entry['reason']}"]),
        ]
        if entry["note"]:
            lines += bullets([f"{'Not tested' if entry['verdict'] == NOT_TESTED else 'Value'}: {entry['note']}"])
    return "\n".join(lines) + "\n"


def _items(title: str, items: Sequence[str]) -> list[str]:
    """Lines of Markdown: a list with its title, and an empty line; nothing if there are no ``items``."""
    return [f"{title}:", "", *bullets(items), ""] if items else []


def _value(entry: Mapping[str, Any]) -> str:
    if entry["value"] is None:
        return "–"
    if entry["low"] is None:
        return compact(entry["value"])
    return f"{compact(entry['value'])} [{compact(entry['low'])}, {compact(entry['high'])}]"


def write_claims(
    study: str,
    entries: Sequence[Mapping[str, Any]],
    judges: Sequence[str],
    leaks: Sequence[str],
    markdown: PathLike,
    json_path: PathLike,
) -> None:
    """Write ``claims.md`` (see ``claims_markdown``) and ``claims.json`` (a list, see ``judge``), each atomically."""
    texts = {
        markdown: claims_markdown(study, entries, judges, leaks),
        json_path: json.dumps(list(entries), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for path, text in texts.items():
        with atomic_path(path) as scratch:
            scratch.write_text(text, encoding="utf-8")

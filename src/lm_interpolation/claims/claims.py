"""Verdicts on the claims of the paper: a value, its interval, a threshold, and whether the claim holds.

The kinds of claims are declared in ``claim_kinds.py`` and computed here, each by one function of a claim's keys and the
study's data. How their 95 % intervals are made, of prompts, texts, words or tensors, says ``inference.py``.
"""

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.analyses.barriers import measure_barrier
from lm_interpolation.analyses.loss_files import loss_matrix
from lm_interpolation.claims import claim_kinds
from lm_interpolation.jobs.runtime import UserError, atomic_path, error_prefix
from lm_interpolation.pages.markdown import bullets, plain, table_row
from lm_interpolation.points.algebra import Sweep
from lm_interpolation.scores.judges import MARK, Judge
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.statistics.inference import (
    LEAST_UNITS,
    LEVEL,
    TAIL,
    Estimate,
    Exact,
    Inference,
    MaxDifference,
    beside,
    holm,
    meets,
    p_value,
    ratios,
    units_to_decide,
)
from lm_interpolation.statistics.matched import Curve, MatchedDifference
from lm_interpolation.statistics.medians import Median, MedianRatio
from lm_interpolation.statistics.orderings import MOST_POINTS, LowestPoints, RankCorrelation, spearman
from lm_interpolation.tables.tables import grid_mask, height_above_chord, statistic_matrix

PathLike = str | os.PathLike[str]

HOLDS, REFUTED, UNDECIDED, NOT_TESTED = VERDICTS = claim_kinds.VERDICTS

FEW = 0.05
"""Share of draws in which a statistic may be undefined; with more, its interval would not be what it says."""


class NotTested(Exception):
    """The data do not allow to test a claim; the message says why."""


@dataclass(frozen=True)
class ClaimData:
    """What claims are computed from.

    ``scores(sweep, prompts, scorer)`` gives score rows (see ``score_files.ScoreFiles``); ``tables`` and ``losses`` are
    the tables of analyses (see ``read_analysis``) and their raw losses (see ``loss_files.read_losses``) by name.
    ``scorers`` has the statistics of each scorer, ``judges`` the judge of each that is a classifier. ``seed`` is that
    of all draws.
    """

    sweeps: Mapping[str, Sweep]
    scorers: Mapping[str, Sequence[Statistic]]
    scores: Callable[[Sweep, str, str], pd.DataFrame]
    tables: Mapping[str, pd.DataFrame]
    losses: Mapping[str, pd.DataFrame]
    judges: Mapping[str, Judge]
    seed: int


@dataclass(frozen=True)
class Measured:
    """A statistic, and a remark on it; ``units`` and their ``kind`` (prompts, ...) are what its interval rests on.

    ``undefined`` is the share of draws without a value; ``instead`` says what would decide where more units would not.
    """

    inference: Inference
    note: str
    units: int | None = None
    kind: str = ""
    undefined: float = 0.0
    instead: str = "the value lies too near the threshold"


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
    """One statistic over points: their coordinates (k, c) and its values; ``unit`` says what they rest on."""

    coordinates: np.ndarray
    estimate: Estimate
    unit: str

    @property
    def at(self) -> np.ndarray:
        """The coordinate (k,), ascending, of a curve that has only one."""
        return self.coordinates[:, 0]

    @property
    def values(self) -> np.ndarray:
        """The estimates, (k,)."""
        return self.estimate.values

    def part(self, low: float, high: float) -> np.ndarray:
        """Indices of the points with coordinates in [low, high], ends included."""
        return np.flatnonzero((self.at >= low) & (self.at <= high))

    def measured(self, inference: Inference, note: str) -> Measured:
        """What was measured on this curve."""
        return Measured(inference, note, self.estimate.units, self.unit)


def _estimate(coordinates: np.ndarray, numerators: np.ndarray, denominators: np.ndarray, unit: str) -> _Curve:
    """Curve of the ratios of column sums. Raises ``NotTested`` where fewer than two units (rows) count at a point."""
    known = (denominators > 0).sum(axis=0)
    if known.min() < 2:
        where = ", ".join(f"{value:g}" for value in coordinates[known.argmin()])
        raise NotTested(f"an interval needs 2 {unit} that count; at {where} there are {known.min()}")
    return _Curve(coordinates, ratios(numerators, denominators), unit)


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
    curve = _estimate(coordinates, numerators[:, places], denominators[:, places], "prompts")
    if exponentiate == (scale == "log"):
        return curve
    if exponentiate:
        return _Curve(coordinates, curve.estimate.exp(), curve.unit)
    if curve.values.min() <= 0:
        raise NotTested(f"{scorer} {statistic} of {sweep} reaches {curve.values.min():g}, which has no logarithm")
    return _Curve(coordinates, curve.estimate.log(), curve.unit)


def _line(data: ClaimData, spec: Mapping[str, Any], **keys: Any) -> _Curve:
    """The curve that a claim names; ``keys`` replace those of the claim."""
    used = {"scale": "linear", "within": (-math.inf, math.inf), **spec, **keys}
    curve = _curve(data, **{key: used[key] for key in ("sweep", "prompts", "scorer", "statistic", "scale", "within")})
    if curve.coordinates.shape[1] != 1:
        raise UserError(f"sweep {used['sweep']} has {curve.coordinates.shape[1]} coordinates; name one with one")
    return curve


def _beside(one: _Curve, other: _Curve, names: Sequence[str]) -> Estimate:
    """Both curves as one estimate: first the values of one, then those of the other."""
    if len(one.estimate.influence) != len(other.estimate.influence):
        raise UserError(f"sweeps {' and '.join(names)} do not have the same prompts; score both again")
    return beside([one.estimate, other.estimate])


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
    return _estimate(coordinates[order], nll[:, places], denominators[:, places], "texts")


# --- statistics


def _sign(word: str, positive: str) -> int:
    return 1 if word == positive else -1


def _barrier_of(curve: _Curve, seed: int) -> Measured:
    inside = curve.part(0, 1)
    at = curve.at[inside]
    if len(at) < 3 or at[0] != 0 or at[-1] != 1:
        raise NotTested("a barrier needs values at 0, at 1, and between")
    estimate = curve.estimate.take(inside)
    barrier = measure_barrier(estimate, at, seed)
    height = compact(float(height_above_chord(at, estimate.values)[1:-1].max()))
    note = f"highest point: {height} at {at[1 + barrier.largest]:g}; points in [0, 1]: {len(at)}"
    return curve.measured(barrier, note)


def _barrier(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """max over [0, 1] of log perplexity - its chord, in nats per token."""
    return _barrier_of(_line(data, spec, statistic="continuation_corpus", scale="log", within=(0, 1)), data.seed)


def _loss_barrier(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """max over [0, 1] of the NLL per token - its chord, in nats (Frankle et al. 2020, against the chord)."""
    curve = _losses(data, spec, "nll_token")
    if curve.coordinates.shape[1] != 1:
        raise UserError(f"analysis {spec['analysis']} runs over a plane; name one along a line")
    return _barrier_of(curve, data.seed)


def _monotone(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Spearman correlation of the statistic with the coordinate within a range, negated for ``falling``."""
    curve = _line(data, spec)
    points = len(curve.at)
    if points < 3:
        raise NotTested(f"a correlation needs 3 points in the range; {spec['sweep']} has {points}")
    if points > MOST_POINTS:
        raise NotTested(f"a correlation is tested for up to {MOST_POINTS} points; {spec['sweep']} has {points} there")
    rising = curve.estimate.contrasts(np.eye(points) * _sign(spec["direction"], "rising"))
    return Measured(
        RankCorrelation(rising, data.seed),
        f"points: {points}",
        curve.estimate.units,
        curve.unit,
        instead="points that lie too near each other to be told apart",
    )


def _stable(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """How far the worst value within a range lies beyond the worst in [0, 1], to the worse side; 0 if it does not."""
    low, high = spec["within"]
    curve = _line(data, spec, within=(min(low, 0), max(high, 1)))
    reference, tested = curve.part(0, 1), curve.part(low, high)
    if not len(reference) or not len(tested):
        raise NotTested(f"{spec['sweep']} has no point in [0, 1] or none in [{low:g}, {high:g}]")
    bad = curve.estimate.contrasts(np.eye(len(curve.at)) * _sign(spec["worse"], "higher"))
    vectors = np.eye(len(curve.at))
    excess = MaxDifference(bad, vectors[:, tested], vectors[:, reference], seed=data.seed, floor=0.0)
    return curve.measured(excess, f"worst at {curve.at[tested][excess.largest]:g}; points: {len(tested)}")


def _words(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Spearman's correlation of P(word) with the coordinate, negated for ``falling``: median over the words of a group.

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
    least = int(rho.argmin())
    note = f"words: {len(rho)}, points: {table.shape[1]}; least for {table.index[least]!r}, {compact(rho[least])}"
    return Measured(Median(rho), note, len(rho), "words")


def _better(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean difference of a statistic between two sweeps at equal score: ``sweep`` minus ``than``.

    On each curve only the branch with coordinate >= 0 counts, and of it the points whose score exceeds that of the
    point before. The range of scores begins at ``from_score``, or without this key at the score that ``than`` has at
    coordinate 1 (the fine-tuned model itself, of theta_1), but not below where either curve starts; it ends at the
    smaller of the two highest scores. See ``matched.MatchedDifference``.
    """
    names = [spec["sweep"], spec["than"]]
    branch = {"within": (0, math.inf)}
    statistics = [_line(data, {**spec, **branch}, sweep=name) for name in names]
    scores = [_line(data, {**spec, **spec["score"], **branch, "sweep": name, "scale": "linear"}) for name in names]
    at_one = np.flatnonzero(scores[1].at == 1)
    if "from_score" not in spec and not len(at_one):
        raise NotTested(
            f"{spec['than']} has no point at coordinate 1, where the range of scores begins; set from_score"
        )
    for score, name in zip(scores, names, strict=True):
        _beside(score, scores[0], [name, names[0]])
    curves = [Curve(score.estimate, found.estimate) for score, found in zip(scores, statistics, strict=True)]
    start = int(at_one[0]) if len(at_one) else 0
    found = MatchedDifference(curves[0], curves[1], spec.get("from_score"), start, data.seed)
    begin, end = map(compact, found.scores)
    shown = f"scores from {begin} to {end}"
    if math.isnan(found.value):
        raise NotTested(f"the two curves share no range of scores ({shown})")
    least, most = map(compact, found.bounds)
    note = f"{shown}; as the curves between their points are not known, the mean may be {least} to {most}"
    return Measured(
        found,
        note,
        min(curve.estimate.units for curve in (*statistics, *scores)),
        "prompts",
        found.undefined,
        "finer grids of both sweeps would say more",
    )


def _reach(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Highest value of a statistic over all coordinates of ``sweep``, minus the highest over those of ``than``."""
    names = [spec["sweep"], spec["than"]]
    one, than = (_line(data, {**spec, "sweep": name}) for name in names)
    both = _beside(one, than, names)
    weights = np.eye(len(both.values))
    reach = MaxDifference(both, weights[:, : len(one.at)], weights[:, len(one.at) :], seed=data.seed)
    shown = (f"{compact(curve.values.max())} at {curve.at[curve.values.argmax()]:g}" for curve in (one, than))
    return one.measured(reach, f"highest: {', of the other '.join(shown)}")


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
    sums = curve.coordinates[grid].sum(axis=1)
    distances = np.abs(sums - spec["sum"])
    # Rounding must not add a point: 0.07 * 100 is 7.000000000000001.
    count = max(1, math.ceil(round(spec["lowest"] * len(sums), 9)))
    valley = LowestPoints(curve.estimate.take(grid), distances, count, data.seed)
    note = f"mean sum {compact(sums[valley.lowest].mean())}; lowest points: {count} of {len(sums)}"
    note += f"; mean distance of all: {compact(distances.mean())}"
    return curve.measured(valley, note)


def _difference(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """max |difference| of a statistic (its log) between two sweeps, over the coordinates that they share in a range."""
    one, other = _line(data, spec), _line(data, spec, sweep=spec["other"])
    at, first, second = np.intersect1d(one.at, other.at, return_indices=True)
    if not len(at):
        raise NotTested(f"{spec['sweep']} and {spec['other']} share no coordinate in the range")
    both = _beside(one, other, [spec["sweep"], spec["other"]])
    vectors = np.eye(len(both.values))
    gaps = vectors[:, first] - vectors[:, len(one.at) + second]
    largest = MaxDifference(both, np.hstack([gaps, -gaps]), seed=data.seed, floor=0.0)
    seen = compact(float(np.abs(both.values @ gaps).max()))
    where = at[largest.largest % len(at)]
    return one.measured(largest, f"largest seen: {seen} at {where:g}; shared points: {len(at)}")


def _norms(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Ratio of the scaled norms of two weight differences: median over tensors.

    Of pairs with the same tensors (names and sizes) the median of the ratios, else the ratio of the medians.
    """
    norms, sizes = [], []
    for key in ("pair", "against"):
        rows = _rows(data.tables[spec["analysis"]], spec, pair=spec[key]).sort_values("tensor")
        norms.append(_numbers(rows, "scaled_norm"))
        sizes.append(list(zip(rows["tensor"], rows["elements"], strict=True)))
    if not norms[1].min() > 0:
        tensor = sizes[1][int(norms[1].argmin())][0]
        raise NotTested(f"{tensor} does not differ in {spec['against']}; there is no ratio to it")
    if sizes[0] == sizes[1]:
        ratio = Median(norms[0] / norms[1])
        return Measured(ratio, f"{len(norms[0])} tensors, matched by name", len(norms[0]), "tensors")
    note = f"ratio of the medians: the pairs have different tensors ({len(norms[0])} and {len(norms[1])})"
    return Measured(MedianRatio(Median(norms[0]), Median(norms[1])), note, min(map(len, norms)), "tensors")


def _middle(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """How far every point in the middle lies above the higher end, or below the lower end; < 0 if one does not."""
    low, high = spec["within"]
    curve = _line(data, spec, within=(min(low, 0), max(high, 1)))
    ends, middle = np.flatnonzero((curve.at == 0) | (curve.at == 1)), curve.part(low, high)
    if len(ends) < 2 or not len(middle):
        raise NotTested(f"{spec['sweep']} has no point at 0, at 1, or in [{low:g}, {high:g}]")
    vectors = np.eye(len(curve.at)) * _sign(spec["sign"], "above")
    # The least height over all pairs is minus the largest depth.
    depths = np.hstack([vectors[:, [end]] - vectors[:, middle] for end in ends])
    height = MaxDifference(curve.estimate, depths, seed=data.seed, negative=True)
    least = curve.at[middle][height.largest % len(middle)]
    return curve.measured(height, f"least at {least:g}; points in the middle: {len(middle)}")


def _linear(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """A number of the linearity summary. It is computed, not sampled: no interval."""
    rows = _rows(data.tables[spec["analysis"]], spec, quantity=spec["quantity"])
    if len(rows) != 1:
        raise ValueError(f"analysis {spec['analysis']}: {len(rows)} rows for {spec['quantity']} in its summary")
    value = float(_numbers(rows, spec["column"])[0])
    if math.isnan(value):
        raise NotTested(f"{spec['column']} of the {spec['quantity']} is not defined on these points")
    return Measured(Exact(value), "deterministic, without an interval")


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

    Keys: ``name, section, statement, test, statistic, value, low, high, unit, threshold, direction, verdict, p, units,
    unit_kind, units_to_decide, weak_judge, reason, note``, and ``p_holm, verdict_holm`` from ``corrected``.
    ``weak_judge`` says whether a statistic comes from a weak judge. Numbers are rounded to six significant digits
    before they are compared with the threshold, so that the entry agrees with itself.

    The claim holds if its whole interval lies on the right side of the threshold, and is refuted if that lies on the
    wrong side. Otherwise it is undecided, and the note says about how many units would decide it; so it is with fewer
    units than ``LEAST_UNITS``, and with so few words or tensors that they have no interval. It is not tested, and the
    note says why, if the data do not give the value, or if the statistic is undefined in more than ``FEW`` of the
    draws, so that there is no interval to judge by.

    Raises ``UserError`` with the claim's key if it names what the data do not have.
    """
    filled = claim_kinds.with_defaults(spec)
    with error_prefix(f"claims.{name}"):
        try:
            measured = TESTS[spec["test"]](filled, data)
        except NotTested as reason:
            return untested(name, spec, str(reason))
    inference = measured.inference
    if not math.isfinite(inference.value):
        raise ValueError(f"claims.{name}: the statistic is {inference.value}")
    weak = any(
        scorer in data.judges and data.judges[scorer].is_weak(statistic)
        for scorer, statistic in claim_kinds.statistics(spec)
    )
    entry = _entry(name, spec) | {
        "value": _round(inference.value),
        "units": measured.units,
        "unit_kind": measured.kind,
        "weak_judge": weak,
        "note": measured.note,
    }
    threshold, at_most = spec["threshold"], entry["direction"] == claim_kinds.AT_MOST
    if isinstance(inference, Exact):
        return entry | {"verdict": HOLDS if meets(entry["value"], entry["value"], threshold, at_most) else REFUTED}
    assert measured.units is not None
    if measured.undefined > FEW:
        undefined = f"undefined in {measured.undefined:.0%} of the draws, so there is no interval to judge by"
        return entry | {"verdict": NOT_TESTED, "note": f"{measured.note}; {undefined}"}
    low, high = map(_round, inference.limits(TAIL))
    if math.isinf(low):
        note = f"{measured.note}; {measured.units} {measured.kind} are too few for an interval"
        return entry | {"verdict": UNDECIDED, "note": note}
    entry |= {"low": low, "high": high}
    met = meets(low, high, threshold, at_most)
    by_order = isinstance(inference, Median | MedianRatio)
    if measured.units < LEAST_UNITS and not by_order:
        wanted = LEAST_UNITS if met is not None else units_to_decide(inference, measured.units, threshold, at_most)
        wanted = None if wanted is None else max(wanted, LEAST_UNITS)
        note = f"{measured.note}; a verdict needs {LEAST_UNITS} {measured.kind}, there are {measured.units}"
        note += f", and about {wanted} would decide it" if wanted is not None and wanted > LEAST_UNITS else ""
        return entry | {"verdict": UNDECIDED, "units_to_decide": wanted, "note": note}
    entry["p"] = float(f"{p_value(inference, threshold, at_most):.2g}")
    if met is not None:
        return entry | {"verdict": HOLDS if met else REFUTED}
    wanted = units_to_decide(inference, measured.units, threshold, at_most)
    told = (
        f"more {measured.kind} alone would not decide it: {measured.instead}"
        if wanted is None
        else f"about {wanted} {measured.kind} would decide it, there are {measured.units}"
    )
    return entry | {"verdict": UNDECIDED, "units_to_decide": wanted, "note": f"{measured.note}; {told}"}


def corrected(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries of a study with what Holm's correction for their number makes of them.

    ``p_holm`` is the corrected p-value, ``verdict_holm`` the verdict that is left: one that holds or is refuted with
    a larger ``p_holm`` than 0.05 is undecided. Verdicts without a p-value stay as they are.
    """
    entries = list(entries)
    p_values = holm({entry["name"]: entry["p"] for entry in entries if entry["p"] is not None})
    return [
        {
            **entry,
            "p_holm": p_values.get(entry["name"]),
            "verdict_holm": UNDECIDED if p_values.get(entry["name"], 0) > 1 - LEVEL else entry["verdict"],
        }
        for entry in entries
    ]


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
        "p": None,
        "units": None,
        "unit_kind": "",
        "units_to_decide": None,
        "weak_judge": False,
        "reason": spec["reason"],
        "note": "",
        "p_holm": None,
        "verdict_holm": NOT_TESTED,
    }


def _round(value: float) -> float:
    # Beyond the twelfth digit there is nothing but rounding. + 0.0 turns a negative zero into zero.
    return float(f"{round(value, 12):.6g}") + 0.0


# --- output


def compact(value: float) -> str:
    """``value`` with three significant digits, in plain notation where that is readable: 0.0123, 1230, 1.2e-06."""
    rounded = float(f"{value:.3g}")
    if rounded == 0 or 1e-4 <= abs(rounded) < 1e6:
        return np.format_float_positional(rounded + 0.0, trim="-")
    return f"{rounded:.3g}"


_RULE = f"""\
A claim **holds** if its whole {LEVEL:.0%} interval (in brackets) lies on the right side of the threshold, and is \
**refuted** if that lies on the wrong side. Else it is **undecided**: the data allow both, and the remark says about \
how many prompts (or texts) would decide. A value that is computed rather than sampled has no interval. \
A claim is **not tested** where the data are not there. A verdict with the words "{MARK}" means little: it rests on a \
classifier that can hardly tell the classes apart.

Each verdict stands for itself: of claims right at their threshold up to one in 40 seems to hold by chance. The last \
column is what is left if all verdicts together are to be right with {LEVEL:.0%} probability (Holm's correction).

Intervals are over prompts, texts, words or tensors, and paired where curves share prompts. The largest of several \
values (a barrier, the best of a sweep) is corrected for being chosen after the fact; its interval covers the choice."""


def claims_markdown(
    study: str, entries: Sequence[Mapping[str, Any]], judges: Sequence[str], leaks: Sequence[str]
) -> str:
    """``claims.md``: the rule of verdicts, how many claims hold, a table, and the reasons and remarks per claim.

    ``judges`` says of each scorer in one line what judges, and how well; ``leaks`` are those of ``leaks.leak_lines``.
    """
    count = {
        column: ", ".join(f"{verdict} {sum(entry[column] == verdict for entry in entries)}" for verdict in VERDICTS)
        for column in ("verdict", "verdict_holm")
    }
    lines = [
        f"# Claims of arXiv 2211.12092 in the study {study}",
        "",
        _RULE,
        "",
        *_items("Judges", judges),
        *_items("Data", leaks),
        f"Verdicts: {count['verdict']}, of {len(entries)}. After Holm's correction: {count['verdict_holm']}.",
        "",
        "| § | claim | statistic | value [interval] | threshold | verdict | after Holm |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        threshold = f"{entry['direction']} {compact(entry['threshold'])}"
        cells = [
            plain(entry["section"]),
            f"{plain(entry['statement'])} (`{entry['name']}`)",
            plain(f"{entry['statistic']} ({entry['unit']})"),
        ]
        cells += [shown_value(entry), threshold, f"**{entry['verdict']}**" + f" ({MARK})" * entry["weak_judge"]]
        cells.append(entry["verdict_holm"])
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
        if entry["p"] is not None:
            lines += bullets([f"p = {entry['p']:.2g}, corrected {entry['p_holm']:.2g}"])
    return "\n".join(lines) + "\n"


def _items(title: str, items: Sequence[str]) -> list[str]:
    """Lines of Markdown: a list with its title, and an empty line; nothing if there are no ``items``."""
    return [f"{title}:", "", *bullets(items), ""] if items else []


def shown_value(entry: Mapping[str, Any]) -> str:
    """Value and interval for people; a dash where there is no value."""
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

"""Curves for claims: one statistic over the points of a sweep, with an estimate that rests on prompts or texts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lm_interpolation.analyses.loss_files import loss_matrix
from lm_interpolation.claims.data import ClaimData, Measured, NotTested, numbers, rows_of
from lm_interpolation.jobs.runtime import UserError, error_prefix
from lm_interpolation.statistics.inference import Estimate, Inference, beside, ratios
from lm_interpolation.tables.tables import statistic_matrix


@dataclass(frozen=True)
class SweepCurve:
    """One statistic over points with ``coordinates`` (k, c); ``unit`` says what the values rest on."""

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

    def measured(self, inference: Inference, note: str, least: float = -math.inf) -> Measured:
        """The result of a measurement on this curve, which cannot lie below ``least``."""
        return Measured(inference, note, self.estimate.units, self.unit, least=least)


def estimate_curve(coordinates: np.ndarray, numerators: np.ndarray, denominators: np.ndarray, unit: str) -> SweepCurve:
    """Curve of the ratios of column sums. Raises ``NotTested`` if fewer than two units (rows) count at a point."""
    known = (denominators > 0).sum(axis=0)
    if known.min() < 2:
        where = ", ".join(f"{value:g}" for value in coordinates[known.argmin()])
        raise NotTested(f"an interval needs 2 {unit} that count; at {where} there are {known.min()}")
    return SweepCurve(coordinates, ratios(numerators, denominators), unit)


def sweep_curve(
    data: ClaimData,
    sweep: str,
    prompts: str,
    scorer: str,
    statistic: str,
    scale: str = "linear",
    within: Sequence[float] = (-math.inf, math.inf),
) -> SweepCurve:
    """One statistic (scale log: its logarithm) over the points of a sweep whose coordinates all lie within a range.

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
    curve = estimate_curve(coordinates, numerators[:, places], denominators[:, places], "prompts")
    if exponentiate == (scale == "log"):
        return curve
    if exponentiate:
        return SweepCurve(coordinates, curve.estimate.exp(), curve.unit)
    if curve.values.min() <= 0:
        raise NotTested(f"{scorer} {statistic} of {sweep} reaches {curve.values.min():g}, which has no logarithm")
    return SweepCurve(coordinates, curve.estimate.log(), curve.unit)


def line_curve(data: ClaimData, spec: Mapping[str, Any], **keys: Any) -> SweepCurve:
    """The curve that a claim names; ``keys`` replace those of the claim."""
    used = {"scale": "linear", "within": (-math.inf, math.inf), **spec, **keys}
    curve = sweep_curve(
        data, **{key: used[key] for key in ("sweep", "prompts", "scorer", "statistic", "scale", "within")}
    )
    if curve.coordinates.shape[1] != 1:
        raise UserError(f"sweep {used['sweep']} has {curve.coordinates.shape[1]} coordinates; name one with one")
    return curve


def both_curves(one: SweepCurve, other: SweepCurve, names: Sequence[str]) -> Estimate:
    """Both curves as one estimate: the values of the first, then those of the second."""
    if len(one.estimate.influence) != len(other.estimate.influence):
        raise UserError(f"sweeps {' and '.join(names)} do not have the same prompts; score both again")
    return beside([one.estimate, other.estimate])


def loss_curve(data: ClaimData, spec: Mapping[str, Any], statistic: str) -> SweepCurve:
    """Mean loss of one class of texts over the points of a loss analysis: per text or per predicted token, in nats."""
    rows = rows_of(data.tables[spec["analysis"]], spec, **{"class": spec["class"], "statistic": statistic})
    columns = list(rows.columns)
    names = columns[columns.index("sweep") + 1 : columns.index("point")]
    coordinates = np.column_stack([numbers(rows, name) for name in names])
    order = np.lexsort(coordinates.T[::-1])
    points, places = np.unique(rows["point"].to_numpy(dtype=str)[order], return_inverse=True)
    with error_prefix(f"losses of {spec['analysis']}"):
        nll, tokens = loss_matrix(data.losses[spec["analysis"]], points.tolist(), spec["class"])
    denominators = tokens if statistic == "nll_token" else np.ones_like(nll)
    return estimate_curve(coordinates[order], nll[:, places], denominators[:, places], "texts")

"""Barriers along lines between coordinate 0 and 1: how far loss or log-perplexity rises above the chord.

Frankle, Dziugaite, Roy and Carbin 2020 (linear mode connectivity, arXiv 1912.05671) call two models connected if the
loss between them does not rise above the mean of the ends. Because the ends of our lines differ, we measure the height
above the chord between them, as Entezari et al. 2022 do (arXiv 2110.06296): with L the mean loss per token in nats,

    excess(alpha) = L(alpha) - ((1 - alpha) L(0) + alpha L(1)),    barrier = max over the grid in [0, 1] of excess >= 0.

Intervals are over prompts (or texts). Single heights have Student's intervals. The barrier and its interval are
corrected because it is the largest of several noisy heights (``inference.MaxDifference``), so both may lie below the
highest measured point. If the grid has no point between 0 and 1, no barrier is measured.
"""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np
import pandas as pd

from lm_interpolation.analyses.loss_files import loss_matrix
from lm_interpolation.jobs.runtime import UserError, error_prefix
from lm_interpolation.points.algebra import Sweep
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.statistics.inference import TAIL, Estimate, MaxDifference, ratios, student
from lm_interpolation.tables.tables import height_above_chord, statistic_matrix

BARRIER_COLUMNS = ["sweep", "prompts", "quantity", "class", "row", "coordinate", "estimate", "low", "high"]


def barrier_table(
    sweeps: Sequence[Sweep],
    scores: Callable[[Sweep, str, str], pd.DataFrame],
    scorer: str,
    statistic: Statistic,
    losses: Sequence[tuple[Sweep, pd.DataFrame]],
    seed: int,
) -> pd.DataFrame:
    """Barriers of the perplexity along ``sweeps`` and of the loss along the sweeps of ``losses``, as one tidy table.

    ``scores(sweep, prompts, scorer)`` gives score rows (see ``score_files.ScoreFiles``); ``statistic`` is the statistic
    of the scorer ``scorer`` whose logarithm is the NLL per token. ``losses`` holds (sweep, frame of
    ``loss_files.read_losses``).

    Columns (``BARRIER_COLUMNS``): ``sweep``; ``prompts`` ("" for a loss); ``quantity``, ``perplexity`` (log of the
    corpus perplexity of the continuations) or ``loss``; ``class`` of the texts ("" for perplexity); ``row``, ``excess``
    (one per grid point in [0, 1], ascending) or ``barrier`` (the last one); ``coordinate`` (float64; of a barrier:
    where the highest point is, the first if there are several); ``estimate``, ``low``, ``high`` (float64, nats per
    token, 95 % interval, NaN if it rests on fewer than two prompts or texts). For a barrier all are NaN if no point
    lies between 0 and 1, since it is not measured. ``tables.write_table`` writes the table.

    Raises ``UserError`` naming the sweep if it has more than one coordinate, if its grid lacks 0 or 1, if a score or
    loss is missing, if no text at a point has a perplexity, or if two ``losses`` belong to one sweep, so that their
    rows would be indistinguishable.
    """
    parts = []
    for sweep in sweeps:
        alpha, points = _unit_interval(sweep)
        for prompts in sweep.prompts:
            with error_prefix(f"sweep {sweep.name}, prompts {prompts}"):
                frame = scores(sweep, prompts, scorer)
                numerators, denominators, _ = statistic_matrix(frame, scorer, [statistic], statistic.name, points)
                part = _curve(alpha, points, numerators, denominators, seed)
            parts.append(part.assign(sweep=sweep.name, prompts=prompts, quantity="perplexity", **{"class": ""}))
    seen: set[str] = set()
    for sweep, frame in losses:
        if sweep.name in seen:
            raise UserError(f"sweep {sweep.name}: has its loss evaluated twice; give its barriers for one corpus only")
        seen.add(sweep.name)
        alpha, points = _unit_interval(sweep)
        for name in frame["class"].unique():
            with error_prefix(f"sweep {sweep.name}"):
                nll, tokens = loss_matrix(frame, points, name)
                part = _curve(alpha, points, nll, tokens, seed)
            parts.append(part.assign(sweep=sweep.name, prompts="", quantity="loss", **{"class": name}))
    if not parts:
        return pd.DataFrame(columns=BARRIER_COLUMNS)
    return pd.concat(parts, ignore_index=True)[BARRIER_COLUMNS]


def measure_barrier(estimate: Estimate, alpha: np.ndarray, seed: int) -> MaxDifference:
    """The barrier of the values at ``alpha`` (k,), which ascends from 0 to 1 with at least one point between."""
    return MaxDifference(estimate, chord_weights(alpha)[:, 1:-1], seed=seed, floor=0.0)


def chord_weights(alpha: np.ndarray) -> np.ndarray:
    """Weights (k, k) whose columns give the height above the chord at each of ``alpha``."""
    return height_above_chord(alpha, np.eye(len(alpha)))


def _unit_interval(sweep: Sweep) -> tuple[np.ndarray, list[str]]:
    """Coordinates in [0, 1], ascending, and ids of the points there."""
    if len(sweep.coordinates) != 1:
        raise UserError(
            f"sweep {sweep.name}: has the coordinates {', '.join(sweep.coordinates)}, but a barrier lies on a line; "
            "leave the sweep out"
        )
    (coordinate,) = sweep.coordinates
    by_value = {entry.coordinates[0][1]: entry.point for entry in sweep.points}
    inside = {value: by_value[value] for value in sorted(by_value) if 0 <= value <= 1}
    for end in (Decimal(0), Decimal(1)):
        if end not in inside:
            raise UserError(
                f"sweep {sweep.name}: a barrier needs {coordinate} = {end} on the grid; add it, or leave the sweep out"
            )
    return np.array([float(value) for value in inside]), [point.id for point in inside.values()]


def _curve(
    alpha: np.ndarray,
    points: Sequence[str],
    numerators: np.ndarray,
    denominators: np.ndarray,
    seed: int,
) -> pd.DataFrame:
    """Rows ``row, coordinate, estimate, low, high`` of one curve; both arrays are (n, len(points))."""
    counts = (denominators > 0).sum(axis=0)
    if not counts.all():
        raise UserError(f"point {points[int(counts.argmin())]}: no text has a perplexity; leave the sweep out")
    heights = height_above_chord(alpha, numerators.sum(axis=0) / denominators.sum(axis=0))
    # The barrier adds one row.
    estimates, low, high = np.append(heights, np.nan), *np.full((2, len(alpha) + 1), np.nan)
    at = math.nan
    weights = chord_weights(alpha)
    # A height rests on its point and on both ends, the barrier on all.
    known = (counts >= 2) & (counts[0] >= 2) & (counts[-1] >= 2)
    if known.any():
        found = ratios(numerators[:, known], denominators[:, known])
        low[:-1][known], high[:-1][known] = student(found.contrasts(weights[np.ix_(known, known)]))
    if len(alpha) > 2:
        at = alpha[1 + np.round(heights[1:-1], 12).argmax()]
        if known.all():
            barrier = measure_barrier(found, alpha, seed)
            estimates[-1], (low[-1], high[-1]) = barrier.value, barrier.limits(TAIL)
        else:
            estimates[-1] = max(heights.max(), 0.0)
    # For differences of numbers of order 1, digits after the twelfth are rounding errors, which differ between
    # machines.
    estimates, low, high = (np.round(column, 12) + 0.0 for column in (estimates, low, high))
    return pd.DataFrame(
        {
            "row": ["excess"] * len(alpha) + ["barrier"],
            "coordinate": np.append(alpha, at),
            "estimate": estimates,
            "low": low,
            "high": high,
        }
    )

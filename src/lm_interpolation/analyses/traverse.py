"""Between and beyond models: losses along lines through pairs of models, and along lines from the centroid of all.

Gueta et al. 2023 (arXiv 2302.04863) interpolate between two models of one data set, of one task, and of different
tasks, and extrapolate beyond them: alpha of 10 steps, equal on a log scale, to 32, and on the other side to -31. The
region ends where the loss rises. From the centroid they move in a random direction and towards the origin.

A pair is measured on the data sets of its two models. Which of them comes first means nothing, so a pair has the mean
of both directions, alpha and 1 - alpha; its excess is paired: its loss minus the mean of its ends.
Steps from the centroid are shares of its length: 10 steps, each twice the last, end at length 1, where the way to the
origin ends, too (our reading).
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import pandas as pd

from lm_interpolation.analyses.set_losses import DataSet, Losses
from lm_interpolation.analyses.traverse_tables import (
    DIFFERENT,
    LEVELS,
    ORIGIN,
    RANDOM,
    SAME_DATA,
    SAME_TASK,
    TRAVERSE_COLUMNS,
)
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point, decimal
from lm_interpolation.points.means import Mean
from lm_interpolation.points.random_directions import beside, length
from lm_interpolation.statistics.inference import bootstrap_ratio

_STEPS = 10
INSIDE = tuple(Decimal(step) / 10 for step in range(11))
OUTSIDE = tuple(decimal(2 ** (step / 2)) for step in range(1, _STEPS + 1))
ALPHAS = (*(1 - alpha for alpha in reversed(OUTSIDE)), *INSIDE, *OUTSIDE)
"""The pair's coordinate: 0 is the first model, 1 the second. With alpha there is 1 - alpha."""
SHARES = (Decimal(0), *(decimal(2.0**-step) for step in reversed(range(_STEPS))))
"""Steps from the centroid, as shares of its length."""

# No model can be called so.
_CENTROID, _ZERO, _AWAY = "the centroid", "the origin", "a random direction"


def pairs_of(sets: Sequence[DataSet], per_level: int, seed: int) -> dict[str, list[tuple[str, str]]]:
    """Level to at most ``per_level`` random pairs of models; levels without pairs are left out.

    The pairs of a level depend on ``seed``, ``per_level`` and the models alone.
    """
    home = {model: one for one in sets for model in one.models}
    levels: dict[str, list[tuple[str, str]]] = {level: [] for level in LEVELS}
    for one, other in itertools.combinations(home, 2):
        if home[one] is home[other]:
            levels[SAME_DATA].append((one, other))
        else:
            levels[SAME_TASK if home[one].group == home[other].group else DIFFERENT].append((one, other))
    found = {}
    for level, pairs in levels.items():
        random = np.random.default_rng([seed, *level.encode()])
        chosen = random.permutation(len(pairs))[:per_level]
        if pairs:
            found[level] = [pairs[place] for place in chosen]
    return found


def traverse(
    losses: Losses, sets: Sequence[DataSet], per_level: int, seed: int, resamples: int, resample_seed: int
) -> pd.DataFrame:
    """Mean losses along lines, with 95 % bootstrap intervals over lines: the columns ``TRAVERSE_COLUMNS``.

    The space of ``losses`` holds the models of all ``sets``. One row for each level and ``alpha``: of ``LEVELS`` the
    coordinate of ``ALPHAS``, of ``ORIGIN`` and ``RANDOM`` the step of ``SHARES``. ``loss`` is the mean over the lines
    of the level, each of which has the mean over its data sets (of both models of a pair; all, from the centroid), in
    nats. ``excess`` is what it exceeds the mean of both ends by, or the centroid, line by line. ``lines`` (int64)
    counts the lines that count, ``infinite`` those with an infinite loss there, which do not. The way to the origin is
    one line, without an interval; random directions are as many as pairs.

    Raises ``UserError`` if the loss of a model, or of the centroid, is infinite.
    """
    rows: list[tuple[object, ...]] = []

    def add(level: str, at: Sequence[Decimal], curves: np.ndarray, ends: Sequence[int]) -> None:
        reference = curves[:, list(ends)].mean(axis=1)
        if not np.isfinite(reference).all():
            raise UserError(f"{level}: a model where a line begins has an infinite loss; it diverged or is damaged")
        rows.extend(_rows(level, at, curves, reference, resamples, resample_seed))

    for level, pairs in pairs_of(sets, per_level, seed).items():
        curves = np.array([_along(losses, pair, sets) for pair in pairs])
        add(level, ALPHAS, curves, [ALPHAS.index(Decimal(0)), ALPHAS.index(Decimal(1))])
    for level, curves in _from_centroid(losses, sets, per_level, seed).items():
        add(level, SHARES, curves, [0])
    return pd.DataFrame(rows, columns=TRAVERSE_COLUMNS)


def count_losses(sets: Sequence[DataSet], per_level: int, seed: int) -> int:
    """About how many losses ``traverse`` measures."""
    home = {model: one.name for one in sets for model in one.models}
    lines = [pair for pairs in pairs_of(sets, per_level, seed).values() for pair in pairs]
    of_pairs = sum(len({home[model] for model in pair}) for pair in lines) * len(ALPHAS)
    return of_pairs + len(sets) * (1 + (len(SHARES) - 1) * (1 + per_level))


def _along(losses: Losses, pair: tuple[str, str], sets: Sequence[DataSet]) -> list[float]:
    """The loss at each of ``ALPHAS`` on the line through a pair, mean of both directions."""
    first, second = pair
    data = [one.name for one in sets if first in one.models or second in one.models]
    found = []
    for alpha in ALPHAS:
        point = Point.of({first: 1 - alpha, second: alpha})
        # The ends are models, which other pairs have, too.
        found.append(_mean(losses.at(point.id, point, data)))
    return [(one + other) / 2 for one, other in zip(found, reversed(found), strict=True)]


def _from_centroid(losses: Losses, sets: Sequence[DataSet], directions: int, seed: int) -> dict[str, np.ndarray]:
    """Level to the losses at each of ``SHARES``, (lines, steps), of the lines from the centroid."""
    space, data = losses.space, [one.name for one in sets]
    space.set_point(Mean.of_models(model for one in sets for model in one.models))
    centre = space.current()
    space.hold(_CENTROID, centre)
    space.hold(_ZERO, {name: tensor.new_zeros(tensor.shape) for name, tensor in centre.items()})

    def line(name: str, target: str) -> list[float]:
        found = []
        for share in SHARES:
            point = Point.of({_CENTROID: 1 - share, target: share})
            # Random directions are held under one name, one after the other.
            known = name if share else _CENTROID
            found.append(_mean(losses.at(f"{known} at {share}", point, data)))
        return found

    origin = line(_ZERO, _ZERO)
    size, random = length(centre.values()), []
    for number in range(directions):
        space.hold(_AWAY, beside(centre, size, seed, number))
        random.append(line(f"{_AWAY} {number}", _AWAY))
    return {ORIGIN: np.array([origin]), RANDOM: np.array(random)}


def _mean(losses: Mapping[str, float]) -> float:
    return math.fsum(losses.values()) / len(losses)


def _rows(
    level: str, at: Sequence[Decimal], curves: np.ndarray, reference: np.ndarray, resamples: int, seed: int
) -> list[tuple[object, ...]]:
    finite = np.isfinite(curves)
    values = np.where(finite, curves, 0.0)
    weights = finite.astype(np.float64)
    excess = np.where(finite, curves - reference[:, None], 0.0)
    loss = bootstrap_ratio(values, weights, resamples, seed)
    beyond = bootstrap_ratio(excess, weights, resamples, seed)
    counts = finite.sum(axis=0)
    return [
        (
            level,
            float(alpha),
            *(float(part[place]) for part in (*loss, *beyond)),
            int(counts[place]),
            len(curves) - int(counts[place]),
        )
        for place, alpha in enumerate(at)
    ]

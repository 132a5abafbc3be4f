"""The points of a region: models of a group, points of their convex hull, and points outside.

Gueta et al. 2023 (arXiv 2302.04863, the section on the loss in the region between models) compare three kinds of points
for models of one data set, of one task, and of all: In, the models; In', points of their convex hull; Ex, models of
other groups, or, for all models, the base plus random directions. The loss of a point is measured on held-out texts.

Our readings. Weights in the hull are Dirichlet(1): uniform on the simplex. There are as many points in the hull, and
random directions, as models in the group. A group of several data sets is measured on each of them with points that
have not learnt it: In are the models of the others, and hull points leave out those of that data set, with the other
weights scaled to sum 1 (which is Dirichlet(1) again). So neither kind profits from having seen the data set.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from lm_interpolation.analyses.region_tables import BASE, HULL, INSIDE, OUTSIDE, REGION_COLUMNS
from lm_interpolation.analyses.set_losses import DataSet, Losses
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.random_directions import beside, length

RANDOM = "random direction"
"""Name of held weights: no model can be called so."""
_MILLION = 10**6


def hull_weights(count: int, models: int, seed: int, group: str) -> np.ndarray:
    """Weights of ``count`` points of the hull of ``models``: (count, models) float64, rows sum to 1, Dirichlet(1).

    They depend on ``seed``, the name of the ``group`` and both numbers alone.
    """
    return np.random.default_rng([seed, *group.encode()]).dirichlet(np.ones(models), size=count)


def hull_point(weights: Mapping[str, float]) -> Point:
    """The point with these ``weights`` >= 0 of models, divided by their sum and rounded to six digits, down.

    The largest takes what rounding leaves, so that the point stays in the hull.
    """
    total = sum(weights.values())
    parts = {model: int(weight / total * _MILLION) for model, weight in weights.items()}
    largest = max(weights, key=lambda model: (weights[model], model))
    parts[largest] += _MILLION - sum(parts.values())
    return Point.of({model: f"{part}e-6" for model, part in parts.items()})


def region_losses(losses: Losses, sets: Sequence[DataSet], base: str, seed: int) -> pd.DataFrame:
    """Losses of In, In' and Ex for each group and data set of it: the columns ``REGION_COLUMNS``.

    The space of ``losses`` holds the models of all ``sets``, and ``base``. With a single group Ex are the base plus
    random directions, as long as the models' displacements are on average; otherwise models of other groups. ``kind``
    is base, in, in' or ex; ``point`` is a model, or the kind and number of a drawn point; ``models`` (int64) counts the
    models that a point combines; ``loss`` is in nats, inf where a model overflows; ``n_texts`` (int64).
    """
    groups = _groups(sets)
    everyone = [model for one in sets for model in one.models]
    names = [one.name for one in sets]
    # Every model, and the base, at once: what is In here is Ex elsewhere.
    known = {model: losses.at(model, Point.of({model: 1}), _needed(model, sets, groups)) for model in (base, *everyone)}
    if len(groups) == 1:
        outside = {f"random {number}": found for number, found in _random(losses, everyone, base, names, seed)}
    rows = []
    for group, members in groups.items():
        others = [model for one in sets if one.group != group for model in one.models]
        drawn = _hull(losses, group, members, seed)
        for one in members:
            kinds: list[tuple[str, str, int, float]] = [(BASE, base, 1, known[base][one.name])]
            kinds += [(INSIDE, model, 1, known[model][one.name]) for model in _inside(one, members)]
            kinds += [(HULL, point, count, found) for point, count, found in drawn[one.name]]
            if len(groups) == 1:
                kinds += [(OUTSIDE, point, 1, found[one.name]) for point, found in outside.items()]
            else:
                kinds += [(OUTSIDE, model, 1, known[model][one.name]) for model in others]
            count = losses.count(one.name)
            rows += [(group, one.name, *kind, count) for kind in kinds]
    return pd.DataFrame(rows, columns=REGION_COLUMNS)


def count_losses(sets: Sequence[DataSet]) -> int:
    """How many losses ``region_losses`` measures."""
    groups = _groups(sets)
    count = len(sets) + sum(len(_needed(model, sets, groups)) for one in sets for model in one.models)
    size = {group: sum(len(one.models) for one in members) for group, members in groups.items()}
    drawn = sum(size[group] * len(members) for group, members in groups.items())
    return count + drawn * (2 if len(groups) == 1 else 1)


def _groups(sets: Sequence[DataSet]) -> dict[str, list[DataSet]]:
    """Group to its data sets."""
    groups: dict[str, list[DataSet]] = {}
    for one in sets:
        groups.setdefault(one.group, []).append(one)
    return groups


def _inside(one: DataSet, members: Sequence[DataSet]) -> list[str]:
    """The models of a group that are measured on this data set of it."""
    if len(members) == 1:
        return list(one.models)
    return [model for other in members if other is not one for model in other.models]


def _needed(model: str, sets: Sequence[DataSet], groups: Mapping[str, Sequence[DataSet]]) -> list[str]:
    """Names of the data sets that a model is measured on: all but its own, if its group has others."""
    return [one.name for one in sets if model not in one.models or len(groups[one.group]) == 1]


def _hull(losses: Losses, group: str, members: Sequence[DataSet], seed: int) -> dict[str, list[tuple[str, int, float]]]:
    """Data set to (name, number of models, loss) of the points of the hull of a group."""
    models = [model for one in members for model in one.models]
    found: dict[str, list[tuple[str, int, float]]] = {one.name: [] for one in members}
    for number, weights in enumerate(hull_weights(len(models), len(models), seed, group)):
        of_model = dict(zip(models, weights, strict=True))
        for one in members:
            point = hull_point({model: of_model[model] for model in _inside(one, members)})
            name = f"hull {number}"
            loss = losses.at(f"{name} of {group} for {one.name}", point, [one.name])[one.name]
            found[one.name].append((name, len(point.models), loss))
    return found


def _random(
    losses: Losses, models: Sequence[str], base: str, data: Sequence[str], seed: int
) -> Iterator[tuple[int, dict[str, float]]]:
    """(number, data set to loss) of the base plus random directions, as many as ``models``."""
    space = losses.space
    start = space.parameters(base)
    size = float(np.mean([_distance(space.parameters(model), start) for model in models]))
    for number in range(len(models)):
        space.hold(RANDOM, beside(start, size, seed, number))
        yield number, losses.at(f"random {number}", Point.of({RANDOM: 1}), data)


def _distance(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    return length(one[name] - other[name] for name in one)

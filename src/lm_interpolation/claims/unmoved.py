"""The claim that moving along one coordinate leaves a statistic alone."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.curves import sweep_curve
from lm_interpolation.claims.data import ClaimData, Measured, NotTested, compact
from lm_interpolation.statistics.inference import MaxDifference


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """max |difference| of a statistic (its log) between two points that differ in the coordinate ``along`` only.

    Both points lie within the range in all their coordinates. On a plane each value of the other coordinate gives a
    row of such points, and the largest difference within a row counts.
    """
    names = [name for name, _ in data.sweeps[spec["sweep"]].points[0].coordinates]
    keys = ("sweep", "prompts", "scorer", "statistic", "scale", "within")
    curve = sweep_curve(data, **{key: spec[key] for key in keys})
    fixed = np.delete(curve.coordinates, names.index(spec["along"]), axis=1)
    # Anchors may lie beside the grid, alone in their row.
    pairs = [
        (one, other)
        for one, other in itertools.combinations(range(len(fixed)), 2)
        if np.array_equal(fixed[one], fixed[other])
    ]
    if not pairs:
        raise NotTested(f"{spec['sweep']} has no two points in the range that differ in {spec['along']} only")
    vectors = np.eye(len(fixed))
    gaps = np.column_stack([vectors[:, one] - vectors[:, other] for one, other in pairs])
    largest = MaxDifference(curve.estimate, np.hstack([gaps, -gaps]), seed=data.seed, floor=0.0)
    one, other = pairs[largest.largest % len(pairs)]
    places = " and ".join(_place(names, curve.coordinates[index]) for index in (one, other))
    seen = compact(float(np.abs(curve.values @ gaps).max()))
    return curve.measured(largest, f"largest seen: {seen} between {places}; pairs of points: {len(pairs)}", least=0)


def _place(names: list[str], values: np.ndarray) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in zip(names, values, strict=True))

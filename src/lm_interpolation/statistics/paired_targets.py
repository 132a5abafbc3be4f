"""The mean gain over targets, from pairs of trainings on each."""

from collections.abc import Sequence

import numpy as np

from lm_interpolation.statistics.inference import TAIL, Estimate, ratios
from lm_interpolation.statistics.shares import Contrast

Pairs = Sequence[tuple[np.ndarray, np.ndarray]]
"""Of each target the losses (seeds,) of the one kind of training and, in this order, of the other."""


def gains(pairs: Pairs) -> np.ndarray:
    """Mean of the first losses minus the second ones, of each target: (targets,) float64."""
    return np.array([float(np.mean(np.asarray(one, dtype=np.float64) - other)) for one, other in pairs])


def mean_gain(pairs: Pairs) -> Estimate:
    """The mean of ``gains``, with targets as units, of which there must be two.

    Seeds lie within targets, and texts within both. The mean over the seeds of a target holds their noise already, so
    the spread of these means between targets covers all levels (a two-stage sample whose units are drawn as wholes).
    """
    found = gains(pairs)[:, None]
    return ratios(found, np.ones_like(found))


def interval(pairs: Pairs, seed: int) -> tuple[float, float, float]:
    """The mean gain and its 95 % limits, as those of the claim: see ``shares.Contrast``."""
    found = Contrast(mean_gain(pairs), [1], seed)
    return (found.value, *found.limits(TAIL))

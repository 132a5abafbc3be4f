"""The claim that one sweep has a lower loss than another where each is best on other texts."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.data import ClaimData, Measured, compact
from lm_interpolation.claims.mean_losses import mean_losses
from lm_interpolation.statistics.inference import beside
from lm_interpolation.statistics.shares import Contrast


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean loss of ``method`` minus that of ``baseline``, each at the point whose loss is lowest on texts to choose by.

    The mean is over all classes of all analyses, which weigh the same. Of equal points the one with the smallest first
    coordinate counts. Points are chosen on other texts than they are compared on, so the choice does not bias the
    difference.
    """
    chosen, notes = [], []
    for key in ("method", "baseline"):
        names = spec[key]
        by = mean_losses(data, names["choose"], spec["statistic"])
        at = dict(zip(by.names, by.coordinates[by.estimate.values.argmin()].tolist(), strict=True))
        on = mean_losses(data, names["measure"], spec["statistic"])
        place = on.place(at)
        chosen.append(on.estimate.take(np.array([place])))
        notes.append(f"{compact(float(on.estimate.values[place]))} at {on.describe(place)}")
    pair = beside(chosen)
    return Measured(Contrast(pair, [1, -1], data.seed), " against ".join(notes), pair.units, "texts per class")

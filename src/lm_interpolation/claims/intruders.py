"""The claim that one model has more intruder dimensions than another."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.data import ClaimData, Measured, compact, numbers, rows_of
from lm_interpolation.statistics.inference import beside, ratios
from lm_interpolation.statistics.shares import Contrast


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Mean number of intruders per matrix of one model minus that of another (Shuttleworth et al. 2024).

    Units are matrices, paired by their tensors, as if they were drawn from many (our reading).
    """
    parts = []
    for key in ("model", "against"):
        rows = rows_of(data.tables[spec["analysis"]], spec, model=spec[key])
        counts = numbers(rows, "intruders")[:, None]
        parts.append(ratios(counts, np.ones_like(counts)))
    pair = beside(parts)
    note = " against ".join(
        f"{compact(value)} ({spec[key]})" for key, value in zip(("model", "against"), pair.values, strict=True)
    )
    return Measured(Contrast(pair, [1, -1], data.seed), note, pair.units, "matrices")

"""The claim that a model is close to linear in its weights."""

import math
from collections.abc import Mapping
from typing import Any

from lm_interpolation.claims.data import ClaimData, Measured, NotTested, numbers, rows_of
from lm_interpolation.statistics.inference import Exact


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """A number of the linearity summary. It is computed, not sampled, so it has no interval."""
    rows = rows_of(data.tables[spec["analysis"]], spec, quantity=spec["quantity"])
    if len(rows) != 1:
        raise ValueError(f"analysis {spec['analysis']}: {len(rows)} rows for {spec['quantity']} in its summary")
    value = float(numbers(rows, spec["column"])[0])
    if math.isnan(value):
        raise NotTested(f"{spec['column']} of the {spec['quantity']} is not defined on these points")
    return Measured(Exact(value), "deterministic, without an interval")

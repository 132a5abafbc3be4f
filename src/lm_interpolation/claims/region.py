"""The claim that points of one kind have a lower loss than those of another, in and outside of regions."""

from collections.abc import Mapping
from typing import Any

from lm_interpolation.analyses.region_tables import superiority
from lm_interpolation.claims.data import ClaimData, Measured, compact, numbers


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """PB over all groups of an analysis ``region``; the interval is over models (see ``superiority``)."""
    table = data.tables[spec["analysis"]]
    losses = table.assign(loss=numbers(table, "loss"))
    groups = list(dict.fromkeys(losses["group"]))
    found, models = superiority(losses, spec["compare"], groups, data.seed)
    note = "one group"
    if len(groups) > 1:
        values = [superiority(losses, spec["compare"], [group], data.seed)[0].value for group in groups]
        least = values.index(min(values))
        note = f"{len(groups)} groups; lowest {compact(values[least])} for {groups[least]}"
    return Measured(found, note, models, "models", found.undefined)

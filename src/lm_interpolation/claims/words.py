"""The claim that the probabilities of words rise, or fall, along a line."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lm_interpolation.claims.data import ClaimData, Measured, NotTested, compact, numbers, rows_of, sign
from lm_interpolation.statistics.medians import Median
from lm_interpolation.statistics.orderings import spearman


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Spearman's correlation of P(word) with the coordinate, negated for ``falling``: median over the words of a group.

    The interval is over words: it shows what another choice of words might have given.
    """
    rows = rows_of(data.tables[spec["analysis"]], spec, kind="word", group=spec["group"])
    name = rows.columns[list(rows.columns).index("sweep") + 1]
    at = numbers(rows, name)
    rows = rows.assign(**{name: at, "probability": numbers(rows, "probability")})
    rows = rows[(at >= spec["within"][0]) & (at <= spec["within"][1])]
    table = rows.pivot(index="text", columns=name, values="probability").sort_index(axis=1)
    if table.shape[0] < 2 or table.shape[1] < 3:
        raise NotTested(f"it takes 2 words and 3 points in the range, not {table.shape[0]} and {table.shape[1]}")
    rho = sign(spec["direction"], "rising") * spearman(table.to_numpy(np.float64))
    least = int(rho.argmin())
    note = f"words: {len(rho)}, points: {table.shape[1]}; least for {table.index[least]!r}, {compact(rho[least])}"
    return Measured(Median(rho), note, len(rho), "words", least=-1, most=1)

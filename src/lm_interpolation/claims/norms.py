"""The claim that one pair of models differs far less in weights than another."""

from collections.abc import Mapping
from typing import Any

from lm_interpolation.claims.data import ClaimData, Measured, NotTested, numbers, rows_of
from lm_interpolation.statistics.medians import Median, MedianRatio


def measure(spec: Mapping[str, Any], data: ClaimData) -> Measured:
    """Ratio of the scaled norms of two weight differences: median over tensors.

    For pairs with the same tensors (names and sizes) this is the median of the ratios, else the ratio of the medians.
    """
    norms, sizes = [], []
    for key in ("pair", "against"):
        rows = rows_of(data.tables[spec["analysis"]], spec, pair=spec[key]).sort_values("tensor")
        norms.append(numbers(rows, "scaled_norm"))
        sizes.append(list(zip(rows["tensor"], rows["elements"], strict=True)))
    if not norms[1].min() > 0:
        tensor = sizes[1][int(norms[1].argmin())][0]
        raise NotTested(f"{tensor} does not differ in {spec['against']}; there is no ratio to it")
    if sizes[0] == sizes[1]:
        ratio = Median(norms[0] / norms[1])
        return Measured(ratio, f"{len(norms[0])} tensors, matched by name", len(norms[0]), "tensors", least=0)
    note = f"ratio of the medians: the pairs have different tensors ({len(norms[0])} and {len(norms[1])})"
    return Measured(MedianRatio(Median(norms[0]), Median(norms[1])), note, min(map(len, norms)), "tensors", least=0)

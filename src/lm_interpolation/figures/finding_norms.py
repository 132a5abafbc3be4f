"""What a figure of norms shows: how far apart the weights of each pair are."""

import os
from collections.abc import Mapping, Sequence

from lm_interpolation.figures.phrases import counted, number
from lm_interpolation.scores.judges import Judge
from lm_interpolation.tables.analysis_tables import read_norms


def find_norms(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
) -> list[str]:
    """A sentence per pair, and how the medians compare with the first pair's."""
    table = read_norms(paths[0])
    found, medians = [], {}
    for pair, part in table.groupby("pair", sort=False):
        changed = part.loc[part["scaled_norm"] > 0, "scaled_norm"]
        if changed.empty:
            found.append(f"{pair}: none of {counted(len(part), 'tensor')} differs.")
            continue
        medians[str(pair)] = float(changed.median())
        same = len(part) - len(changed)
        equal = f"; {counted(same, 'tensor')} unchanged" if same else ""
        spread = f"{number(changed.min())} to {number(changed.max())} over {counted(len(changed), 'tensor')}"
        found.append(f"{pair}: median scaled norm {number(changed.median())} ({spread}{equal}).")
    if len(medians) > 1:
        (first, size), *others = medians.items()
        told = ", ".join(f"that of {pair} {number(other / size)} times" for pair, other in others)
        found.append(f"Against the median of {first}: {told}.")
    return [*found, "Norms of these very weights: no sampling, so no intervals."]

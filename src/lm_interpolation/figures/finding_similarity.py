"""What a heat map of cosines shows: how similar models with and without a common label are."""

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from lm_interpolation.figures.phrases import counted, listed, number
from lm_interpolation.figures.regions_data import cluster_sentences, read_clusters, read_pairs
from lm_interpolation.scores.judges import Judge


def find_similarity(paths: Sequence[str | os.PathLike[str]], judges: Mapping[str, Judge]) -> list[str]:
    """Mean cosines of pairs by what they have in common, then sentences on the clusters."""
    pairs = read_pairs(paths[0])
    # Those with most in common first.
    shared = sorted(dict.fromkeys(pairs["same"]), key=lambda same: -len(same.split()))
    told = [_of(pairs[pairs["same"] == same], same) for same in shared]
    return [f"Mean cosine of displacements: {'; '.join(told)}.", *cluster_sentences(read_clusters(paths[2]))]


def _of(rows: pd.DataFrame, same: str) -> str:
    what = f"of one {listed(same.split())}" if same else "without a common label"
    least, most = number(rows["cosine"].min()), number(rows["cosine"].max())
    spread = f", {least} to {most}" if len(rows) > 1 else ""
    return f"{number(rows['cosine'].mean())} {what} ({counted(len(rows), 'pair')}{spread})"

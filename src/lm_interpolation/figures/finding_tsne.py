"""What a map of models shows: how well clusters agree with labels, and which models lie elsewhere."""

import os
from collections.abc import Mapping, Sequence

from lm_interpolation.figures.phrases import counted, listed
from lm_interpolation.figures.regions_data import cluster_sentences, read_clusters, read_places
from lm_interpolation.scores.judges import Judge

_NAMED = 8
"""Models that are named; of more, their number is told."""


def find_tsne(paths: Sequence[str | os.PathLike[str]], judges: Mapping[str, Judge]) -> list[str]:
    """Sentences on the clusters, those on single models, and what a map cannot tell."""
    places, found = read_places(paths[0]), cluster_sentences(read_clusters(paths[1]))
    for label, rows in places.groupby("label", sort=False):
        apart = rows[rows["value"] != rows["cluster"]]
        if 0 < len(apart) <= _NAMED:
            told = listed(f"{row.model} (with {row.cluster})" for row in apart.itertuples())
            found.append(f"By {label}, in the cluster of another value: {told}.")
        elif len(apart):
            found.append(f"By {label}, {counted(len(apart), 'model')} are in the cluster of another value.")
    return [*found, "Distances between far groups of a t-SNE map mean nothing; clusters are those of all cosines."]

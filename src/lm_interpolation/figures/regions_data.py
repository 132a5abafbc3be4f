"""What figures of regions show, from the tables of an analysis of that kind."""

import os
from collections.abc import Sequence
from typing import Any

import pandas as pd

from lm_interpolation.figures.phrases import Value, listed, number

PathLike = str | os.PathLike[str]

MEASURED = {"cosine": "cosine of displacements", "weights": "cosine of weights", "distance": "Euclidean distance"}

SHOWN = 8
"""Tensors that are named; of more, their number is told."""


def read_pairs(path: PathLike) -> pd.DataFrame:
    """The pairs of ``regions.region_tables``."""
    types: dict[str, Any] = dict.fromkeys(("model", "other", "same"), str) | dict.fromkeys(MEASURED, float)
    return pd.read_csv(path, dtype=types, keep_default_na=False)


def read_clusters(path: PathLike) -> pd.DataFrame:
    """The clusters of ``regions.region_tables``."""
    return pd.read_csv(path, dtype=dict.fromkeys(("label", "measure", "left_out"), str), keep_default_na=False)


def read_places(path: PathLike) -> pd.DataFrame:
    """The places of ``regions.region_tables``. A value may be called "null", or be a number."""
    types: dict[str, Any] = dict.fromkeys(("model", "label", "value", "cluster"), str) | {"x": float, "y": float}
    return pd.read_csv(path, dtype=types, keep_default_na=False)


def labels_outside_in(places: pd.DataFrame) -> list[str]:
    """The labels, those with the fewest values first: their groups hold the groups of the others, if groups nest."""
    return list(places.groupby("label", sort=False)["value"].nunique().sort_values(kind="stable").index)


def cluster_sentences(clusters: pd.DataFrame) -> list[str]:
    """A sentence per label on how well clusters agree with it, by each measure, and one on what was not compared."""
    found = []
    for label, rows in clusters.groupby("label", sort=False):
        first = rows.iloc[0]
        told = [
            f"{Value(row['accuracy'], row['low'], row['high'])} by {MEASURED[row['measure']]} (p = {number(row['p'])})"
            for row in rows.to_dict("records")
        ]
        found.append(
            f"Of {first['models']} models in {first['clusters']} spectral clusters, this share is in the cluster of "
            f"its {label}: {listed(told)}; p from {first['permutations']:,} permutations of the labels."
        )
    return [*found, *_left_out(str(clusters.iloc[0]["left_out"]).split(), int(clusters.iloc[0]["tensors"]))]


def _left_out(names: Sequence[str], tensors: int) -> list[str]:
    if not names:
        return []
    told = listed(names) if len(names) <= SHOWN else f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} others"
    return [f"Compared are the {tensors} tensors that all models share; left out: {told}."]

"""Regions of fine-tuned models in weight space: similarities, spectral clusters beside known labels, and a map.

Source: Gueta et al. 2023, Knowledge is a Region in Weight Space for Fine-tuned Language Models (arXiv 2302.04863).
They cluster models by the cosine of their task vectors, with the number of clusters given, and match clusters with
data sets or tasks. The adjusted Rand index, the permutation p-value and the intervals are ours.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lm_interpolation.analyses.similarities import COSINE, DISTANCE, MEASURES, Matrix, Similarities
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.statistics.clusters import Codes, Matching, effective_units, matching, permutation_p
from lm_interpolation.statistics.inference import TAIL
from lm_interpolation.statistics.proportions import Proportion

SEED = 0
"""Of clusters, permutations, draws and the map."""

PERMUTATIONS = 9999
"""Permutations of the labels behind a p-value."""

DRAWS = 200
"""Draws without replacement behind an interval."""

PAIR_COLUMNS = ["model", "other", "same", *MEASURES]
CLUSTER_COLUMNS = [
    *("label", "measure", "clusters", "models", "accuracy", "low", "high", "effective", "f1", "ari"),
    *("p", "permutations", "tensors", "left_out"),
]
PLACE_COLUMNS = ["model", "label", "value", "cluster", "x", "y"]
PAIR_VALUES = list(MEASURES)
CLUSTER_VALUES = ["accuracy", "low", "high", "effective", "f1", "ari", "p"]
PLACE_VALUES = ["x", "y"]
"""The columns that ``tables.write_table`` rounds."""


class Regions(NamedTuple):
    """The three tables of ``region_tables``."""

    pairs: pd.DataFrame
    clusters: pd.DataFrame
    places: pd.DataFrame


def region_tables(found: Similarities, labels: Mapping[str, Sequence[str]]) -> Regions:
    """Tables of the models in ``found``. ``labels`` maps each label (such as data set) to its value for each of them.

    - ``pairs`` (``PAIR_COLUMNS``): a row per pair; ``same`` names the labels that both have in common, separated by
      spaces; ``cosine`` (of displacements), ``weights`` (cosine of weights) and ``distance`` (Euclidean), float64.
    - ``clusters`` (``CLUSTER_COLUMNS``): a row per label and measure; ``clusters`` is the number of values of the
      label; ``accuracy`` the share of models whose label is that of their cluster, each cluster matched with one value
      (Hungarian method), with a 95 % interval, ``low`` to ``high``, of ``effective`` independent models; ``f1`` the
      mean F1 of the values under that matching; ``ari`` the adjusted Rand index; ``p`` the probability of such an
      accuracy with permuted labels; ``tensors`` how many were compared, ``left_out`` the names of others, separated by
      spaces.
    - ``places`` (``PLACE_COLUMNS``): a row per label and model; ``cluster`` is the value that its cluster by cosine is
      matched with; ``x`` and ``y`` its place on the map, the same for all labels.

    Every label has at least two values and fewer than there are models. Raises ``UserError`` if most models are equal.
    """
    from sklearn.metrics import adjusted_rand_score, f1_score

    affinities = {measure: affinity(found.measures[measure], measure) for measure in MEASURES}
    x, y = places(found.measures[COSINE]).T
    rows, mapped = [], []
    for label, values in labels.items():
        known, codes = _codes(values)
        for measure, weights in affinities.items():
            clusters = spectral_clusters(weights, len(known))
            matched = matching(codes, clusters)
            effective = effective_models(codes, weights)
            share = Proportion(matched.hits / len(codes), effective)
            low, high = share.limits(TAIL)
            rows.append(
                {
                    "label": label,
                    "measure": measure,
                    "clusters": len(known),
                    "models": len(codes),
                    "accuracy": share.value,
                    "low": low,
                    "high": high,
                    "effective": effective,
                    "f1": float(f1_score(codes, matched.named, labels=range(len(known)), average="macro")),
                    "ari": float(adjusted_rand_score(codes, clusters)),
                    "p": permutation_p(codes, clusters, PERMUTATIONS, SEED),
                    "permutations": PERMUTATIONS,
                    "tensors": found.tensors,
                    "left_out": " ".join(found.left_out),
                }
            )
            if measure == COSINE:
                mapped += _places(found.models, label, values, known, matched, x, y)
    return Regions(
        _pairs(found, labels),
        pd.DataFrame(rows, columns=CLUSTER_COLUMNS),
        pd.DataFrame(mapped, columns=PLACE_COLUMNS),
    )


def affinity(values: Matrix, measure: str) -> Matrix:
    """Affinities in [0, 1], (n, n), for spectral clustering. How similarities become affinities is our reading.

    Of a cosine c: (1 + c) / 2. Of a distance d: exp(-d² / m²), m the median distance of two models.
    Raises ``UserError`` if the median distance is 0.
    """
    if measure != DISTANCE:
        return (1 + values) / 2
    median = float(np.median(values[np.triu_indices_from(values, 1)]))
    if median == 0:
        raise UserError("most models have equal weights, so there is nothing to cluster; name models that differ")
    return np.exp(-((values / median) ** 2))


def spectral_clusters(weights: Matrix, count: int) -> Codes:
    """``count`` clusters by normalised spectral clustering of affinities (n, n): the cluster of each unit, (n,).

    scikit-learn's, with its defaults (k-means in the space of the first ``count`` eigenvectors) and a fixed seed.
    """
    from sklearn.cluster import SpectralClustering

    clusters = SpectralClustering(count, affinity="precomputed", random_state=SEED).fit_predict(weights)
    return np.asarray(clusters, dtype=np.intp)


def effective_models(codes: Codes, weights: Matrix) -> float:
    """Number of independent models whose accuracy would vary as that of clusters by these affinities (n, n).

    A bootstrap would draw models twice, and a model and its copy have the cosine 1: it would make clusters of copies.
    So models are drawn without replacement, four fifths at a time, and clustered anew (``effective_units``).
    """
    units = len(codes)
    kept = units - max(1, round(units / 5))
    generator = np.random.default_rng(SEED)
    accuracies = np.empty(DRAWS)
    for draw in range(DRAWS):
        chosen = np.sort(generator.choice(units, kept, replace=False))
        known, part = np.unique(codes[chosen], return_inverse=True)
        clusters = spectral_clusters(weights[np.ix_(chosen, chosen)], min(len(known), kept - 1))
        accuracies[draw] = matching(part, clusters).hits / kept
    return effective_units(accuracies, units, kept)


def places(cosines: Matrix) -> npt.NDArray[np.float64]:
    """A map of the models by 1 - cosine, (n, 2), in arbitrary units.

    t-SNE (van der Maaten and Hinton 2008), exact, with perplexity min(30, (n - 1) / 3), from random places, seed 0.
    """
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(cosines) - 1) / 3)
    drawing = TSNE(metric="precomputed", perplexity=perplexity, init="random", method="exact", random_state=SEED)
    return np.asarray(drawing.fit_transform(1 - cosines), dtype=np.float64)


def _codes(values: Sequence[str]) -> tuple[list[str], Codes]:
    """The values, each once, in the order of their first models, and the place of each model's value among them."""
    known = list(dict.fromkeys(values))
    return known, np.array([known.index(value) for value in values], dtype=np.intp)


def _places(
    models: Sequence[str],
    label: str,
    values: Sequence[str],
    known: Sequence[str],
    matched: Matching,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
) -> list[tuple[object, ...]]:
    names = [known[code] for code in matched.named]
    return [(model, label, *rest) for model, *rest in zip(models, values, names, x.tolist(), y.tolist(), strict=True)]


def _pairs(found: Similarities, labels: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    rows = []
    for one, model in enumerate(found.models):
        for two in range(one + 1, len(found.models)):
            same = " ".join(label for label, values in labels.items() if values[one] == values[two])
            measured = (float(found.measures[measure][one, two]) for measure in MEASURES)
            rows.append((model, found.models[two], same, *measured))
    return pd.DataFrame(rows, columns=PAIR_COLUMNS)

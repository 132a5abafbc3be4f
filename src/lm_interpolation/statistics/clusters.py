"""How well clusters agree with known labels: one-to-one accuracy, and what chance would give."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Codes = npt.NDArray[np.intp]
"""Labels or clusters of n units as integers from 0, (n,)."""


class Matching(NamedTuple):
    """Clusters matched one to one with labels: ``named`` (n,) is the label of each unit's cluster, -1 without one.

    ``hits`` is the number of units whose label that is: the largest that any matching gives.
    """

    named: Codes
    hits: int


def matching(labels: Codes, clusters: Codes) -> Matching:
    """Match clusters with labels, so that as many units as possible have the label of their cluster (Kuhn 1955).

    If several matchings give as many, it is that of SciPy.
    """
    counts = _counts(labels, clusters, int(labels.max()) + 1, int(clusters.max()) + 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    label_of = np.full(counts.shape[1], -1, dtype=np.intp)
    label_of[columns] = rows
    return Matching(label_of[clusters], int(counts[rows, columns].sum()))


def permutation_p(labels: Codes, clusters: Codes, permutations: int, seed: int) -> float:
    """Probability that labels dealt at random match the clusters as well: (1 + as many hits or more) / (1 + all).

    Each of the ``permutations`` of the labels is matched anew. Source: Phipson and Smyth 2010, Permutation p-values
    should never be zero.
    """
    generator = np.random.default_rng(seed)
    least, size = matching(labels, clusters).hits, (int(labels.max()) + 1, int(clusters.max()) + 1)
    as_good = 0
    for _ in range(permutations):
        counts = _counts(generator.permutation(labels), clusters, *size)
        as_good += counts[linear_sum_assignment(counts, maximize=True)].sum() >= least
    return float((1 + as_good) / (1 + permutations))


def effective_units(accuracies: npt.NDArray[np.float64], units: int, kept: int) -> float:
    """Number of independent units whose share of hits would vary as much as the accuracy of ``units`` models does.

    ``accuracies`` (draws,) are those of clusterings of ``kept`` of the units, drawn without replacement. Their variance
    times kept / (units - kept) is that of the accuracy (the delete-d jackknife, Shao and Wu 1989, Annals of Statistics
    17). A share p of m independent units has the variance p (1 - p) / m. At least 1, and never more than ``units``.
    """
    share = float(accuracies.mean())
    variance = float(accuracies.var()) * kept / (units - kept)
    return float(units) if variance == 0 else min(float(units), max(1.0, share * (1 - share) / variance))


def _counts(labels: Codes, clusters: Codes, rows: int, columns: int) -> Codes:
    """Units by label and cluster, (rows, columns)."""
    return np.bincount(labels * columns + clusters, minlength=rows * columns).reshape(rows, columns)

"""Clusters against labels: matchings by hand and by trying all, and p-values whose distribution is known."""

import itertools
import math

import numpy as np
import pytest

from lm_interpolation.statistics.clusters import effective_units, matching, permutation_p


def codes(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.intp)


def test_matching_by_hand() -> None:
    # Cluster 1 holds two of label 0 and one of label 1; cluster 0 holds two of label 1.
    found = matching(codes(0, 0, 1, 1, 1), codes(1, 1, 0, 0, 1))
    assert (found.hits, found.named.tolist()) == (4, [0, 0, 1, 1, 0])
    # One to one: of two clusters with most of label 0, the smaller share gives way.
    found = matching(codes(0, 0, 0, 0, 0, 1), codes(0, 0, 0, 1, 1, 1))
    assert (found.hits, found.named.tolist()) == (4, [0, 0, 0, 1, 1, 1])
    # A cluster too many has no label.
    assert matching(codes(0, 0, 1), codes(0, 2, 1)).named.tolist() in ([0, -1, 1], [-1, 0, 1])


def test_no_other_matching_has_more_hits() -> None:
    generator = np.random.default_rng(1)
    for _ in range(50):
        labels, clusters = generator.integers(0, 4, (2, 20))
        tried = (int((np.array(names)[clusters] == labels).sum()) for names in itertools.permutations(range(4)))
        found = matching(labels, clusters)
        assert found.hits == max(tried) == int((found.named == labels).sum())


def test_the_p_value_of_perfect_clusters_by_hand() -> None:
    labels = codes(0, 0, 0, 1, 1, 1)
    # 2 of the 20 ways to deal three labels of six give the same partition.
    assert permutation_p(labels, 1 - labels, 9999, 0) == pytest.approx(0.1, abs=0.01)
    many = np.repeat(np.arange(4), 5)
    assert permutation_p(many, many, 9999, 0) == 1e-4
    assert permutation_p(many, np.zeros(20, dtype=np.intp), 99, 0) == 1


def test_p_values_of_random_labels_are_valid() -> None:
    generator = np.random.default_rng(0)
    clusters = np.repeat(np.arange(3), 8)
    found = np.array([permutation_p(generator.permutation(clusters), clusters, 199, seed) for seed in range(300)])
    for level in (0.05, 0.2, 0.5):
        # Hits are whole numbers, so few are below; 3.5 standard errors above is allowed.
        assert (found <= level).mean() <= level + 3.5 * math.sqrt(level * (1 - level) / 300)
    assert found.min() < 0.1 and found.mean() < 0.75


def test_a_fixed_clustering_is_as_uncertain_as_independent_units() -> None:
    hits = (np.arange(60) < 54).astype(float)
    generator = np.random.default_rng(0)
    drawn = np.array([hits[generator.choice(60, 48, replace=False)].mean() for _ in range(4000)])
    # Of n - 1 units, since the variance of a sample is that.
    assert effective_units(drawn, 60, 48) == pytest.approx(59, rel=0.06)


def test_clusters_that_depend_on_who_is_there_are_more_uncertain() -> None:
    assert effective_units(np.ones(200), 60, 48) == 60
    tipped = np.array([1.0] * 100 + [0.75] * 100)
    # Share 0.875, variance 1/64 times 48 / 12.
    assert effective_units(tipped, 60, 48) == pytest.approx(0.875 * 0.125 / (4 / 64))
    # No share of units varies more than that of one.
    assert effective_units(np.array([1.0] * 150 + [0.5] * 50), 60, 48) == 1

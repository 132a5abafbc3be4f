"""Regions: planted groups are found, agreement equals scikit-learn's, and tables hold what they say."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, confusion_matrix, f1_score

from lm_interpolation.analyses import regions
from lm_interpolation.analyses.regions import (
    CLUSTER_COLUMNS,
    PAIR_COLUMNS,
    PLACE_COLUMNS,
    Regions,
    affinity,
    effective_models,
    places,
    region_tables,
    spectral_clusters,
)
from lm_interpolation.analyses.similarities import Similarities, from_products
from lm_interpolation.jobs.runtime import UserError

TASKS = ["sentiment"] * 8 + ["topic"] * 8
DATA = [name for name in ("films", "books", "arts", "places") for _ in range(4)]
LABELS = {"data": DATA, "task": TASKS}


def planted(noise: float, seed: int = 0, scales: bool = False) -> Similarities:
    """16 models: displacements have a direction of their task, one of their data, and noise of this size."""
    generator = np.random.default_rng(seed)
    tasks, data = generator.standard_normal((2, 400)), generator.standard_normal((4, 400))
    moved = np.stack([tasks[row // 8] + data[row // 4] for row in range(16)])
    moved += noise * generator.standard_normal(moved.shape)
    if scales:
        # Each model moves by a length of its own along its direction.
        moved *= np.geomspace(1, 30, 16)[generator.permutation(16), None]
    rows = np.vstack([moved, 10 * generator.standard_normal(400)])
    return from_products([f"m{row:02d}" for row in range(16)], rows @ rows.T, 3, ["score.weight"])


@pytest.fixture(scope="module", autouse=True)
def few_draws() -> Iterator[None]:
    """To cluster what is drawn takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regions, "DRAWS", 20)
        yield


@pytest.fixture(scope="module")
def found(few_draws: None) -> Regions:
    return region_tables(planted(0.5), LABELS)


def test_planted_groups_are_found(found: Regions) -> None:
    assert list(found.clusters) == CLUSTER_COLUMNS
    assert found.clusters[["label", "measure"]].to_numpy().tolist() == [
        [label, measure] for label in ("data", "task") for measure in ("cosine", "weights", "distance")
    ]
    rows = found.clusters[found.clusters["measure"] == "cosine"]
    assert rows[["clusters", "models", "accuracy", "f1", "ari"]].to_numpy().tolist() == [
        [4, 16, 1, 1, 1],
        [2, 16, 1, 1, 1],
    ]
    # No permutation of the data fits as well but those of the names; of two tasks, 2 of 12,870 do.
    assert rows["p"].tolist() == [1e-4, pytest.approx(2 / 12870, abs=5e-4)]
    assert rows["effective"].tolist() == [16, 16] and rows["high"].tolist() == [1, 1]
    assert rows["low"].tolist() == pytest.approx([0.025 ** (1 / 16)] * 2)
    assert set(found.clusters["left_out"]) == {"score.weight"} and set(found.clusters["tensors"]) == {3}


def test_cosines_find_what_distances_miss() -> None:
    tables = region_tables(planted(0.5, scales=True), {"data": DATA})
    accuracy = tables.clusters.set_index("measure")["accuracy"]
    assert accuracy["cosine"] == 1 and accuracy["distance"] < 0.8


def test_agreement_is_that_of_scikit_learn() -> None:
    similar = planted(8.0, seed=4)
    tables = region_tables(similar, LABELS)
    imperfect = 0
    for row in tables.clusters.to_dict("records"):
        values = LABELS[row["label"]]
        known = list(dict.fromkeys(values))
        true = np.array([known.index(value) for value in values])
        clusters = spectral_clusters(affinity(similar.measures[row["measure"]], row["measure"]), len(known))
        counts = confusion_matrix(true, clusters, labels=range(len(known)))
        rows, columns = linear_sum_assignment(-counts)
        named = rows[np.argsort(columns)][clusters]
        assert row["accuracy"] == (named == true).mean()
        assert row["f1"] == pytest.approx(f1_score(true, named, average="macro"))
        assert row["ari"] == pytest.approx(adjusted_rand_score(true, clusters))
        assert 0 <= row["low"] <= row["accuracy"] <= row["high"] <= 1
        assert 0 < row["effective"] <= 16
        imperfect += row["accuracy"] < 1
    assert imperfect >= 3


def test_pairs_and_places(found: Regions) -> None:
    assert list(found.pairs) == PAIR_COLUMNS and len(found.pairs) == 16 * 15 // 2
    rows = found.pairs.set_index(["model", "other"])
    assert [rows.loc[("m00", other), "same"] for other in ("m03", "m04", "m08")] == ["data task", "task", ""]
    direct = planted(0.5)
    for measure in ("cosine", "weights", "distance"):
        assert rows.loc[("m02", "m09"), measure] == direct.measures[measure][2, 9]
    assert list(found.places) == PLACE_COLUMNS
    assert found.places["value"].tolist() == [*DATA, *TASKS] == found.places["cluster"].tolist()
    # One map for all labels.
    by_label = [rows[["model", "x", "y"]].to_numpy().tolist() for _, rows in found.places.groupby("label")]
    assert by_label[0] == by_label[1]
    xy = found.places[["x", "y"]].to_numpy()[:16]
    gaps = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    same = np.array([[one == two for two in DATA] for one in DATA])
    assert gaps[same].max() < gaps[~same].min()


def test_it_is_the_same_again(found: Regions) -> None:
    again = region_tables(planted(0.5), LABELS)
    for one, two in zip(found, again, strict=True):
        assert one.equals(two)


def test_affinities_by_hand() -> None:
    cosines = np.array([[1, -1.0, 0], [-1, 1, 0.5], [0, 0.5, 1]])
    assert affinity(cosines, "cosine").tolist() == [[1, 0, 0.5], [0, 1, 0.75], [0.5, 0.75, 1]]
    distances = np.array([[0, 1.0, 2], [1, 0, 4], [2, 4, 0]])
    expected = np.exp(-np.array([[0, 0.25, 1], [0.25, 0, 4], [1, 4, 0]]))
    np.testing.assert_allclose(affinity(distances, "distance"), expected)
    with pytest.raises(UserError, match="most models have equal weights"):
        affinity(np.zeros((4, 4)), "distance")


def test_a_group_that_falls_apart_counts_for_fewer_models() -> None:
    labels = np.repeat([0, 1], 8)
    cosines = planted(0.5).measures["cosine"]
    assert effective_models(labels, affinity(cosines, "cosine")) == 16
    # Three directions, two clusters: which two join depends on who is there.
    generator = np.random.default_rng(3)
    moved = np.repeat(np.eye(3), [5, 5, 6], axis=0) + 0.05 * generator.standard_normal((16, 3))
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    three = np.repeat([0, 1, 1], [5, 5, 6])
    assert effective_models(three, affinity(moved @ moved.T, "cosine")) < 8


def test_the_smallest_regions() -> None:
    similar = from_products(list("abcd"), np.diag([1.0, 1, 1, 1, 9]) + np.pad([[0.0, 0.9], [0.9, 0]], (0, 3)), 1, [])
    tables = region_tables(similar, {"data": ["x", "x", "y", "z"]})
    assert tables.clusters["clusters"].tolist() == [3] * 3
    assert places(similar.measures["cosine"]).shape == (4, 2)

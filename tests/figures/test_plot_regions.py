"""Figures of regions: where models stand, how groups are marked, and what the text says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from lm_interpolation.analyses.regions import CLUSTER_VALUES, PAIR_VALUES, PLACE_VALUES
from lm_interpolation.figures.finding_similarity import find_similarity
from lm_interpolation.figures.finding_tsne import find_tsne
from lm_interpolation.figures.plot_similarity import plot_similarity
from lm_interpolation.figures.plot_tsne import plot_tsne
from lm_interpolation.figures.regions_data import labels_outside_in, read_clusters, read_pairs, read_places
from lm_interpolation.figures.series import MOST
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.tables.tables import write_table

# In an order that no label has. The values of a label may be numbers, or read "null".
DATA = {"d": "null", "b": "films", "a": "films", "e": "9", "c": "null", "f": "9"}
TASK = {"d": "mood", "b": "mood", "a": "mood", "e": "topic", "c": "mood", "f": "topic"}
ORDER = ["d", "c", "b", "a", "e", "f"]
"""By task, then by data, each in the order of its first model."""


def cosine(one: str, two: str) -> float:
    return 0.1 + 0.5 * (DATA[one] == DATA[two]) + 0.3 * (TASK[one] == TASK[two]) - 0.2 * ({one, two} == {"a", "e"})


def pairs() -> pd.DataFrame:
    rows = []
    for index, one in enumerate(DATA):
        for two in list(DATA)[index + 1 :]:
            shared = (label for label, values in (("data", DATA), ("task", TASK)) if values[one] == values[two])
            rows.append((one, two, " ".join(shared), cosine(one, two), 0.9, 2.0))
    return pd.DataFrame(rows, columns=["model", "other", "same", "cosine", "weights", "distance"])


def places() -> pd.DataFrame:
    rows = [
        (model, label, values[model], "9" if (model, label) == ("a", "data") else values[model], float(index), -1.0)
        for label, values in (("data", DATA), ("task", TASK))
        for index, model in enumerate(DATA)
    ]
    return pd.DataFrame(rows, columns=["model", "label", "value", "cluster", "x", "y"])


def clusters(left_out: str = "") -> pd.DataFrame:
    rows = [
        {
            "label": label,
            "measure": measure,
            "clusters": count,
            "models": 6,
            "accuracy": 5 / 6 if label == "data" else 1.0,
            "low": 0.4,
            "high": 1.0,
            "effective": 6.0,
            "f1": 0.8,
            "ari": 0.7,
            "p": 0.0123,
            "permutations": 9999,
            "tensors": 4,
            "left_out": left_out,
        }
        for label, count in (("data", 3), ("task", 2))
        for measure in ("cosine", "weights", "distance")
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The tables, written as the job writes them: pairs, places, clusters."""
    paths = tmp_path / "r.csv", tmp_path / "r_places.csv", tmp_path / "r_clusters.csv"
    for table, path, values in zip(
        (pairs(), places(), clusters("lm_head.weight score.weight")),
        paths,
        (PAIR_VALUES, PLACE_VALUES, CLUSTER_VALUES),
        strict=True,
    ):
        write_table(table, path, values)
    return paths


def test_what_is_written_is_read_as_it_was(files: tuple[Path, Path, Path]) -> None:
    pd.testing.assert_frame_equal(read_pairs(files[0]), pairs())
    pd.testing.assert_frame_equal(read_places(files[1]), places())
    assert read_clusters(files[2])["left_out"].tolist() == ["lm_head.weight score.weight"] * 6
    write_table(clusters(), files[2], CLUSTER_VALUES)
    assert read_clusters(files[2])["left_out"].tolist() == [""] * 6


def test_models_are_grouped_from_the_outer_label_inwards() -> None:
    assert labels_outside_in(places()) == ["task", "data"]
    figure = plot_similarity(pairs(), places(), title="Cosines")
    figure.draw_without_rendering()
    axes, bar = figure.axes[:2]
    (image,) = axes.images
    values = np.ma.filled(image.get_array(), np.nan)
    expected = [[np.nan if one == two else cosine(one, two) for two in ORDER] for one in ORDER]
    np.testing.assert_allclose(values, expected)
    # Equally far on both sides of 0; the diagonal has a colour of its own.
    assert image.get_clim() == pytest.approx((-0.9, 0.9))
    assert to_hex(image.get_cmap().get_bad()) == to_hex("0.6")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["null", "films", "9"]
    assert axes.get_yticks().tolist() == [0.5, 2.5, 4.5]
    (outer,) = axes.child_axes
    assert [label.get_text() for label in outer.get_xticklabels()] == ["mood", "topic"]
    assert axes.get_xlabel() == "models, by task, then data"
    borders = {(line.get_ydata()[0], round(line.get_linewidth(), 9)) for line in axes.lines if line.get_xdata()[0] == 0}
    assert borders == {(3.5, 1.6), (1.5, 0.6), (3.5, 0.6)}
    assert "cosine" in bar.get_ylabel()


def test_one_label_has_no_outer_names() -> None:
    rows = places()
    figure = plot_similarity(pairs(), rows[rows["label"] == "task"])
    assert figure.axes[0].child_axes == [] and figure.axes[0].get_xlabel() == "models, by task"


def test_a_panel_for_each_label() -> None:
    figure = plot_tsne(places(), title="Map")
    figure.draw_without_rendering()
    data, task = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["by data", "by task"]
    assert [text.get_text() for text in data.get_legend().get_texts()] == ["null", "films", "9", "in another cluster"]
    assert [text.get_text() for text in task.get_legend().get_texts()] == ["mood", "topic"]
    null, films, nine, apart = data.collections
    assert null.get_offsets().tolist() == [[0, -1], [4, -1]] and films.get_offsets().tolist() == [[1, -1], [2, -1]]
    assert len(nine.get_offsets()) == 2 and apart.get_offsets().tolist() == [[2, -1]]
    # The legend lies beside the panel.
    assert data.get_legend().get_window_extent().x0 >= data.get_window_extent().x1


def test_no_two_values_look_alike() -> None:
    rows = [(f"m{index}", "data", f"d{index}", f"d{index}", index, 0) for index in range(MOST)]
    table = pd.DataFrame(rows, columns=["model", "label", "value", "cluster", "x", "y"])
    figure = plot_tsne(table)
    looks = [
        (points.get_facecolor().tobytes(), points.get_edgecolor().tobytes(), points.get_paths()[0].vertices.tobytes())
        for points in figure.axes[0].collections
    ]
    assert len(set(looks)) == MOST
    more = pd.concat([table, table.tail(1).assign(model="more", value="more")])
    with pytest.raises(UserError, match=f"{MOST + 1} series in one figure cannot be told apart"):
        plot_tsne(more)


def test_the_text_of_the_map(files: tuple[Path, Path, Path]) -> None:
    data, task, left, apart, warning = find_tsne([files[1], files[2]], {})
    assert data == (
        "Of 6 models in 3 spectral clusters, this share is in the cluster of its data: 0.833 [0.4, 1] by cosine of "
        "displacements (p = 0.0123), 0.833 [0.4, 1] by cosine of weights (p = 0.0123) and 0.833 [0.4, 1] by Euclidean "
        "distance (p = 0.0123); p from 9,999 permutations of the labels."
    )
    assert task.startswith("Of 6 models in 2 spectral clusters, this share is in the cluster of its task: 1 [0.4, 1]")
    assert left == "Compared are the 4 tensors that all models share; left out: lm_head.weight and score.weight."
    assert apart == "By data, in the cluster of another value: a (with 9)."
    assert warning.startswith("Distances between far groups")


def test_many_names_are_counted(files: tuple[Path, Path, Path]) -> None:
    rows = [(f"m{index}", "data", "x", "y", 0.0, 0.0) for index in range(9)]
    write_table(pd.DataFrame(rows, columns=list(places())), files[1], PLACE_VALUES)
    write_table(clusters(" ".join(f"t{index}" for index in range(10))), files[2], CLUSTER_VALUES)
    found = find_tsne([files[1], files[2]], {})
    assert "By data, 9 models are in the cluster of another value." in found
    assert found[2].endswith("left out: t0, t1, t2, t3, t4, t5, t6, t7 and 2 others.")


def test_the_text_of_the_heat_map(files: tuple[Path, Path, Path]) -> None:
    cosines, data, *_ = find_similarity(list(files), {})
    assert cosines == (
        "Mean cosine of displacements: 0.9 of one data and task (3 pairs, 0.9 to 0.9); 0.4 of one task (4 pairs, 0.4 "
        "to 0.4); 0.075 without a common label (8 pairs, −0.1 to 0.1)."
    )
    assert data.startswith("Of 6 models in 3 spectral clusters")

"""Reliability diagrams, and what is found in them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lm_interpolation.figures.finding_calibration import find_calibration
from lm_interpolation.figures.plot_calibration import plot_calibration
from tests.figures.test_analysis_plots import all_inside, drawn, legend_texts


def table(baseline: bool = True) -> pd.DataFrame:
    """A judge that is too confident; the bin from 0.6 to 0.8 has no text of it. And a baseline that is not enough."""
    rows = [("judge", 0.5, 0.6, 30, 0.55, 0.5), ("judge", 0.8, 1.0, 70, 0.95, 0.75)]
    rows += [("tfidf", 0.5, 0.6, 60, 0.56, 0.6), ("tfidf", 0.6, 0.8, 40, 0.7, 0.9)] if baseline else []
    return pd.DataFrame(rows, columns=["reader", "low", "high", "texts", "confidence", "accuracy"])


def test_a_panel_per_judge_with_its_texts_below() -> None:
    figure = plot_calibration([table(), table(baseline=False)], ["one", "other"], "A title")
    one, other, texts, more = figure.axes
    assert [axes.get_title() for axes in (one, other)] == ["one", "other"]
    judge, baseline = drawn(one)
    np.testing.assert_allclose(judge.get_xydata(), [[0.55, 0.5], [0.95, 0.75]])
    np.testing.assert_allclose(baseline.get_xydata(), [[0.56, 0.6], [0.7, 0.9]])
    assert len(drawn(other)) == 1 and legend_texts(one.get_legend()) == ["judge", "TF-IDF regression"]
    # No text between the two bins of the judge.
    (outline, _), (alone,) = texts.patches, more.patches
    values, edges, _ = outline.get_data()
    np.testing.assert_allclose(values, [30, 0, 70])
    np.testing.assert_allclose(edges, [0.5, 0.6, 0.8, 1])
    np.testing.assert_allclose(alone.get_data()[0], [30, 0, 70])
    assert all_inside(figure)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_any_number_of_judges_fits(count: int) -> None:
    figure = plot_calibration([table()] * count, [f"judge-{n}" for n in range(count)])
    assert len(figure.axes) == 2 * count and all_inside(figure)


def test_what_is_found(tmp_path: Path) -> None:
    paths = [tmp_path / "one.csv", tmp_path / "other.csv"]
    table().to_csv(paths[0], index=False)
    fair = table(baseline=False).assign(accuracy=[0.54, 0.96])
    fair.to_csv(paths[1], index=False)
    assert find_calibration(paths, {}, models=["one", "other"]) == [
        # 0.3 · 0.55 + 0.7 · 0.95; 0.3 · 0.05 + 0.7 · 0.2
        "one: too confident (mean confidence 0.830, accuracy 0.675, expected calibration error 0.155). The TF-IDF "
        "regression: not confident enough (mean confidence 0.616, accuracy 0.720, expected calibration error 0.104).",
        "other: about as confident as it is right (mean confidence 0.830, accuracy 0.834, expected calibration error "
        "0.010).",
        "Bins have no intervals.",
    ]

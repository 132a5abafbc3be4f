"""The figure: what it draws, and that its files are reproducible."""

import itertools

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest

from workflow.lib.plots import plot_curves, save_figure
from workflow.lib.points import build_sweep
from workflow.lib.runtime import UserError

PANELS = [
    {"scorer": "sentiment", "statistic": "score", "label": "positive score"},
    {"scorer": "ppl", "statistic": "continuation_mean", "label": "perplexity", "scale": "log"},
]


def table(name, origin, coordinate, prompts=("neutral",), grid=(-2, 0, 1, 3), explode=1e5) -> pd.DataFrame:
    sweep = build_sweep(
        name,
        {
            "space": "weights",
            "prompts": list(prompts),
            "origin": origin,
            "directions": {coordinate: {"positive": 1, "negative": -1}},
            "grid": {coordinate: list(grid)},
        },
    )
    rows = []
    for index, prompt_set in enumerate(prompts):
        for entry in sweep.points:
            x = float(entry.coordinates[0][1])
            row = {"sweep": name, "prompts": prompt_set, coordinate: x, "point": entry.point.id}
            score, ppl = 0.3 + 0.1 * x + 0.05 * index, 60 * (explode / 60) ** (abs(x) / 3)
            rows.append({**row, "scorer": "sentiment", "statistic": "score", "estimate": score, "low": score - 0.1, "high": score + 0.1})  # noqa: E501  # fmt: skip
            rows.append({**row, "scorer": "ppl", "statistic": "continuation_mean", "estimate": ppl, "low": ppl / 2, "high": ppl * 2})  # noqa: E501  # fmt: skip
    return pd.DataFrame(rows)


def theta1(**changes) -> pd.DataFrame:
    return table("theta1", {"negative": 1}, "alpha", **changes)


def theta2(**changes) -> pd.DataFrame:
    return table("theta2", {"base": 1}, "gamma", **changes)


def curves(axes):
    return [drawn for drawn in axes.lines if drawn.get_marker() not in ("None", None, "")]


def test_rows_are_sweeps_and_columns_are_panels():
    figure = plot_curves([theta1(), theta2(grid=(0, 4))], PANELS, {"alpha": "α"}, {"theta2": "second"}, title="A title")
    grid = np.array(figure.axes).reshape(2, 2)
    assert [axes.get_xlabel() for axes in grid[:, 0]] == ["α", "gamma"]
    assert [axes.get_ylabel() for axes in grid[0]] == ["positive score", "perplexity"]
    assert [axes.get_yscale() for axes in grid[0]] == ["linear", "log"]
    assert [axes.get_title(loc="left") for axes in grid[:, 0]] == ["theta1", "second"]
    for column in (0, 1):
        assert grid[0, column].get_ylim() == grid[1, column].get_ylim()
    (drawn,) = curves(grid[0, 0])
    np.testing.assert_allclose(drawn.get_xydata(), [[-2, 0.1], [0, 0.3], [1, 0.4], [3, 0.6]])
    band = grid[0, 0].collections[0].get_paths()[0].vertices
    assert {(-2.0, 0.0), (3.0, 0.7)} <= {(round(float(x), 6), round(abs(float(y)), 6)) for x, y in band}


def test_single_models_are_named_at_dashed_lines():
    figure = plot_curves([theta1(), theta2()], PANELS)
    grid = np.array(figure.axes).reshape(2, 2)
    for axes in grid[0]:
        assert [(text.get_text(), text.get_position()[0]) for text in axes.texts] == [("negative", 0), ("positive", 1)]
    for axes in grid[1]:
        assert [text.get_text() for text in axes.texts] == ["base"]  # theta2(1) is a mixture
        dashed = [drawn.get_xdata()[0] for drawn in axes.lines if drawn not in curves(axes)]
        assert dashed == [0, 1]


@pytest.mark.parametrize("grid", [(-2, 0, 1, 3), (-20, 0, 1, 20), (0, 0.5, 1)])
def test_names_do_not_overlap(grid):
    figure = plot_curves([theta1(grid=grid)], PANELS)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for axes in figure.axes for text in axes.texts]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes)


def test_prompt_sets_differ_in_colour_marker_and_dashes():
    prompts = ("neutral", "negative", "positive")
    figure = plot_curves([theta1(prompts=prompts), theta2(prompts=("positive",))], PANELS)
    first, second = curves(figure.axes[0]), curves(figure.axes[2])
    assert len({matplotlib.colors.to_hex(drawn.get_color()) for drawn in first}) == 3
    assert len({drawn.get_marker() for drawn in first}) == 3
    assert len({drawn._dash_pattern[1] and tuple(drawn._dash_pattern[1]) for drawn in first}) == 3
    assert second[0].get_color() == first[2].get_color()  # one style per prompt set in the whole figure
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(prompts)
    (legend,) = plot_curves([theta1(), theta2(prompts=("neutral", "positive"))], PANELS).legends
    assert [text.get_text() for text in legend.get_texts()] == ["neutral", "positive"]
    assert not plot_curves([theta1()], PANELS).legends


@pytest.mark.parametrize("explode", [62, 80, 200, 1e3, 1e5, 1e9])
def test_log_axis_has_readable_labels_whatever_the_range(explode):
    figure = plot_curves([theta1(explode=explode)], PANELS)
    figure.draw_without_rendering()
    axes = figure.axes[1]
    low, high = axes.get_ylim()
    labels = [
        label
        for label, at in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)
        if low <= at <= high and label.get_text()
    ]
    assert 2 <= len(labels) <= 10
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.y0)
    assert all(below.y1 < above.y0 for below, above in itertools.pairwise(boxes))


def test_point_without_a_value_leaves_a_gap():
    gap = theta1()
    gap.loc[gap["alpha"] == 0, ["estimate", "low", "high"]] = np.nan
    (drawn,) = curves(plot_curves([gap], PANELS).axes[0])
    assert np.isnan(drawn.get_ydata()).tolist() == [False, True, False, False]


def test_errors():
    with pytest.raises(UserError, match=r"theta1 has no ppl.text_mean; its statistics: \['ppl.continuation_mean'"):
        plot_curves([theta1()], [{"scorer": "ppl", "statistic": "text_mean", "label": ""}])
    with pytest.raises(UserError, match=r"sentiment\.score is not positive"):
        plot_curves([theta1()], [{**PANELS[0], "scale": "log"}])
    plane = theta1()
    plane.insert(2, "beta", 0.0)
    with pytest.raises(UserError, match=r"theta1: curves need one coordinate, it has \['beta', 'alpha'\]"):
        plot_curves([plane], PANELS)


def test_files_are_reproducible_and_embed_truetype(tmp_path):
    for name in ("one", "two"):
        figure = plot_curves([theta1()], PANELS, title="θ₁")
        save_figure(figure, tmp_path / f"{name}.png", tmp_path / f"{name}.pdf", dpi=80)
    for kind in ("png", "pdf"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
    pdf = (tmp_path / "one.pdf").read_bytes()
    assert b"/CIDFontType2" in pdf or b"/TrueType" in pdf
    assert b"/Type3" not in pdf and b"CreationDate" not in pdf

"""Figures of curves: what they draw, and that their files are reproducible."""

import itertools

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lm_interpolation.figures.plot_curves import plot_curves
from lm_interpolation.figures.plot_labels import LabelRoom, Spot
from lm_interpolation.figures.series import COLOURS, DASHES, MARKERS, MOST, series_styles
from lm_interpolation.figures.style import PAGE_WIDTH, figure_style, log_ticks, panel_grid, save_figure
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import build_sweep

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
    assert [axes.get_ylabel() for axes in grid[0]] == ["positive score", "perplexity (log scale)"]
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
        marks = [(text.get_text(), text.get_position()[0]) for text in axes.texts]
        assert marks == [("model negative", 0), ("model positive", 1)]
    for axes in grid[1]:
        assert [text.get_text() for text in axes.texts] == ["model base", "gamma = 1"]  # theta2(1) is a mixture
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
    assert [text.get_text() for text in legend.get_texts()] == [f"{name} prompts" for name in prompts]
    (legend,) = plot_curves([theta1(), theta2(prompts=("neutral", "positive"))], PANELS).legends
    assert [text.get_text() for text in legend.get_texts()] == ["neutral prompts", "positive prompts"]
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


# --- one row of panels ---


def logits(**changes) -> pd.DataFrame:
    return table("logits", {"base": 1}, "gamma", **changes)


def test_overlay_draws_all_sweeps_in_one_row():
    figure = plot_curves(
        [theta1(), theta2(grid=(0, 4))], PANELS, {"alpha": "α", "gamma": "γ"}, {"theta2": "second"}, overlay=True
    )
    assert len(figure.axes) == 2
    assert [axes.get_xlabel() for axes in figure.axes] == ["α, γ"] * 2
    assert not any(axes.get_title(loc="left") for axes in figure.axes)
    first, second = curves(figure.axes[0])
    np.testing.assert_allclose(first.get_xydata(), [[-2, 0.1], [0, 0.3], [1, 0.4], [3, 0.6]])
    np.testing.assert_allclose(second.get_xydata(), [[0, 0.3], [4, 0.7]])
    assert first.get_color() != second.get_color()
    assert (first.get_marker(), second.get_marker()) == MARKERS[:2]
    assert len(figure.axes[0].collections) == 2  # bands
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["theta1", "second"]
    assert [handle.get_color() for handle in legend.get_lines()] == [first.get_color(), second.get_color()]
    assert legend.get_title().get_text() == ""


def test_overlay_names_models_on_which_all_sweeps_agree():
    agreed = plot_curves([theta2(), logits()], PANELS, overlay=True).axes[0]
    assert [text.get_text() for text in agreed.texts] == ["model base", "gamma = 1"]
    figure = plot_curves([theta1(), theta2()], PANELS, overlay=True)  # negative or base, positive or a mixture
    assert [text.get_text() for text in figure.axes[0].texts] == ["alpha, gamma = 0", "alpha, gamma = 1"]
    dashed = [drawn.get_xdata()[0] for drawn in figure.axes[0].lines if drawn not in curves(figure.axes[0])]
    assert dashed == [0, 1]


def test_overlay_takes_the_prompts_in_common():
    figure = plot_curves([theta1(prompts=("neutral", "positive")), theta2(prompts=("positive",))], PANELS, overlay=True)
    first, second = curves(figure.axes[0])
    assert first.get_ydata()[1] == pytest.approx(0.35)  # "positive" comes second in theta1
    assert second.get_ydata()[1] == pytest.approx(0.3)
    with pytest.raises(UserError, match=r"exactly one prompt set in common, they have \['neutral', 'negative'\]"):
        plot_curves([sweep(prompts=("neutral", "negative")) for sweep in (theta1, theta2)], PANELS, overlay=True)
    with pytest.raises(UserError, match="they have none"):
        plot_curves([theta1(), theta2(prompts=("negative",))], PANELS, overlay=True)


@pytest.mark.parametrize(("columns", "shape"), [(None, (2, 3)), (2, (3, 2)), (3, (2, 3)), (9, (1, 5))])
def test_columns_break_a_single_row(columns, shape):
    figure = plot_curves([theta1()], PANELS * 2 + PANELS[:1], columns=columns, panel_width=3, panel_height=2)
    assert len(figure.axes) == 5
    assert tuple(figure.get_size_inches()) == (3 * shape[1], 2 * shape[0])
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == shape
    assert [axes.get_ylabel() for axes in figure.axes] == ["positive score", "perplexity\n(log scale)"] * 2 + [
        "positive score"
    ]
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "log"] * 2 + ["linear"]
    # Panels below each other share no axis.
    figure.axes[0].set_ylim(0, 7)
    assert all(axes.get_ylim() != (0, 7) for axes in figure.axes[1:])


def test_long_legends_stay_inside_the_figure():
    labels = {name: f"{name}: a label that is rather long, like a formula" for name in ("theta1", "theta2", "logits")}
    figure = plot_curves([theta1(), theta2(), logits()], PANELS, sweep_labels=labels, overlay=True)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert len(legend.get_texts()) == 3
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0
    assert all(box.y1 <= axes.get_tightbbox().y0 for axes in figure.axes)


# --- trade-offs ---

TRADE_OFF = {**PANELS[0], "x": {"scorer": "ppl", "statistic": "continuation_mean", "label": "perplexity, across"}}


def test_trade_off_joins_points_in_order_of_the_coordinate():
    shuffled = theta1().sample(frac=1, random_state=0)
    axes = plot_curves([shuffled], [TRADE_OFF], {"alpha": "α"}).axes[0]
    (drawn,) = axes.lines  # and no reference lines
    perplexity = [60 * (1e5 / 60) ** share for share in (2 / 3, 0, 1 / 3, 1)]
    np.testing.assert_allclose(drawn.get_xydata(), np.column_stack([perplexity, [0.1, 0.3, 0.4, 0.6]]))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("perplexity, across", "positive score")
    across, along = (collection.get_segments() for collection in axes.collections)
    np.testing.assert_allclose(across[1], [[30, 0.3], [120, 0.3]])
    np.testing.assert_allclose(along[1], [[60, 0.2], [60, 0.4]])


def test_trade_off_labels_some_points_where_there_is_room():
    figure = plot_curves([theta1(grid=(-2, -1, 0, 1, 2, 3))], [TRADE_OFF], {"alpha": "α"})
    texts = figure.axes[0].texts
    assert {text.get_text() for text in texts} == {"α = −2", "α = 0", "α = 1", "α = 3"}
    assert next(text.xy for text in texts if text.get_text() == "α = 0") == pytest.approx((60, 0.3))
    # Two equal curves share their points: the labels of the second find other places, or are left out.
    figure = plot_curves([theta2(grid=np.arange(-4, 5)), logits(grid=np.arange(-4, 5))], [TRADE_OFF], overlay=True)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) >= 4
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    frame = figure.axes[0].bbox
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1 for box in boxes)


def test_trade_off_and_curves_in_one_figure():
    figure = plot_curves([theta1(), theta2()], [PANELS[0], TRADE_OFF], overlay=True)
    assert [axes.get_xlabel() for axes in figure.axes] == ["alpha, gamma", "perplexity, across"]
    assert [drawn.get_linestyle() for drawn in curves(figure.axes[1])] == ["-", "--"]
    assert DASHES[0] == "-"
    with pytest.raises(UserError, match=r"theta1 has no ppl\.text_mean"):
        plot_curves([theta1()], [{**PANELS[0], "x": {"scorer": "ppl", "statistic": "text_mean", "label": ""}}])


# --- cost ---


def cost() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "space": ["weights", "logits", "weights", "logits"],
            "point": ["base=1"] * 4,
            "seconds_per_1000_tokens": [2.0, 7.0, 4.0, 8.0],
            "peak_memory_mb": [1000.0, 3000.0, 1000.0, 3200.0],
        }
    )


def test_cost_is_two_panels_of_bars():
    figure = plot_curves([theta2(), logits()], PANELS, overlay=True, cost=cost(), columns=3, panel_width=3)
    assert figure.get_figwidth() == 9
    labels = [axes.get_ylabel().replace("\n", " ") for axes in figure.axes[2:]]
    assert labels == ["Seconds per 1,000 tokens", "Peak memory of the process (MiB)"]
    for axes, heights, dots in (
        (figure.axes[2], [3, 7.5], [[2, 4], [7, 8]]),
        (figure.axes[3], [1000, 3100], [[1000, 1000], [3000, 3200]]),
    ):
        assert [bar.get_height() for bar in axes.patches] == heights
        assert [drawn.get_ydata().tolist() for drawn in axes.lines] == dots
        assert [label.get_text() for label in axes.get_xticklabels()] == ["weights", "logits"]
        assert axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > dots[1][1]
    assert [text.get_text() for text in figure.axes[3].texts] == [
        "1,000\n(1,000–1,000,\n2 runs)",
        "3,100\n(3,000–3,200,\n2 runs)",
    ]


def test_errors_of_costs():
    with pytest.raises(UserError, match="set overlay: true or remove cost"):
        plot_curves([theta1()], PANELS, cost=cost())
    missing = cost()
    missing.loc[3, "peak_memory_mb"] = np.nan
    with pytest.raises(UserError, match="peak_memory_mb of point base=1 in logits is missing"):
        plot_curves([theta2(), logits()], PANELS, overlay=True, cost=missing)


# --- shared parts ---


@pytest.mark.parametrize(("limits", "labels"), [((10, 1e6), {"10⁶"}), ((10, 1e5), {"1,000", "100,000"})])
def test_log_ticks(limits, labels):
    axes = Figure().subplots()
    axes.set(yscale="log", ylim=limits)
    log_ticks(axes)
    assert labels <= {label.get_text() for label in axes.get_yticklabels()}


def room() -> LabelRoom:
    figure = Figure(figsize=(2, 2), dpi=72)  # a pixel is a point
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 144), ylim=(0, 144))
    return LabelRoom(axes)


def test_labels_take_the_first_place_with_most_room():
    labels = room()
    spots = labels.around("label", (72, 72), 4, 9)
    width, height = labels.size("label", 9)
    text = labels.place("label", spots, 9)
    assert text.xy == (72, 72) and text.get_position() == pytest.approx((width / 2 + 4, 0))
    labels = room()
    labels.take_path([(73, 0), (73, 144)])  # right of the point
    assert labels.place("label", spots, 9).get_position() == pytest.approx((-width / 2 - 4, 0))
    labels = room()
    labels.take_markers([(60, 72), (84, 72), (72, 62)], 2)  # above is free
    assert labels.place("label", spots, 9).get_position() == pytest.approx((0, height / 2 + 4))


def test_labels_stay_inside_and_off_each_other():
    labels = room()
    width, height = labels.size("label", 9)
    assert labels.place("label", [Spot((144, 72), (0, 0))], 9) is None
    assert labels.place("label", [Spot((72, 72), (0, 0))], 9) is not None
    assert labels.place("label", [Spot((72, 72), (width + 0.5, 0))], 9) is None
    assert labels.place("label", [Spot((72, 72), (0, height + 2))], 9) is not None
    assert labels.place("label", [Spot((72, 72), (0, 0))], 9, must=True) is not None


def test_a_label_is_nearest_to_its_own_marker_or_has_a_leader():
    labels = room()
    # α = 0 and α = −1 of the issue: two points a label's height apart.
    labels.take_markers([(72, 72), (72, 80), (64, 76)], 2.5)
    crowded = labels.place_at("α = 0", (72, 72), 4, 9)
    assert crowded.arrow_patch is None and crowded.get_position()[1] <= 0  # below, or beside and below
    labels = room()
    # Surrounded: only a leader tells whose label it is.
    labels.take_markers([(72, 72), *((72 + x, 72 + y) for x in (-9, 0, 9) for y in (-9, 0, 9) if x or y)], 2.5)
    led = labels.place_at("α = 0", (72, 72), 4, 9)
    assert led.arrow_patch is not None and led.xy == (72, 72)
    assert labels.place_at("elsewhere", (144, 144), 4, 9, must=True) is not None


def nearest_marker(text, axes):
    """Index of the marker (of all lines of a panel, in points) that is nearest to a label's box."""
    box = text.get_window_extent()
    markers = np.vstack([axes.transData.transform(line.get_xydata()) for line in curves(axes)])
    half = np.array([box.width, box.height]) / 2
    gaps = np.maximum(np.abs(markers - (box.x0 + half[0], box.y0 + half[1])) - half, 0)
    return markers[np.hypot(*gaps.T).argmin()]


@pytest.mark.parametrize("seed", range(4))
def test_no_label_of_a_trade_off_can_be_taken_for_another_points(seed):
    # Points that crowd in a corner, as those of three lines around the base model do.
    random, tables = np.random.default_rng(seed), [theta1(), theta2(), logits()]
    for one in tables:
        for statistic, scale in (("score", 0.02), ("continuation_mean", 4)):
            rows = one["statistic"] == statistic
            values = 50 + scale * random.normal(size=rows.sum())
            one.loc[rows, ["estimate", "low", "high"]] = np.column_stack([values, values - scale, values + scale])
    figure = plot_curves(tables, [TRADE_OFF], {"alpha": "α", "gamma": "γ"}, overlay=True)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.texts
    for text in axes.texts:
        own = axes.transData.transform(text.xy)
        assert text.arrow_patch is not None or np.allclose(nearest_marker(text, axes), own, atol=0.5), text.get_text()


# --- series and pages ---


def test_no_two_series_look_alike():
    styles = series_styles(MOST)
    assert len({(style["marker"], style["linestyle"]) for style in styles}) == MOST <= len(MARKERS) * len(DASHES)
    assert len({style["color"] for style in styles[: len(COLOURS)]}) == len(COLOURS)
    with pytest.raises(UserError, match="34 series in one figure cannot be told apart; draw at most 33"):
        series_styles(MOST + 1)


@pytest.mark.parametrize("width", [2.0, 3.6, 4.2, 12.0])
@pytest.mark.parametrize("count", range(1, 14))
def test_panels_fill_a_page_and_not_more(count, width):
    deep, wide = panel_grid(count, width)
    assert wide == 1 or wide * width <= PAGE_WIDTH
    assert (deep - 1) * wide < count <= deep * wide
    assert panel_grid(count, width, 5)[1] == min(5, count)


def test_six_panels_of_two_sweeps_are_a_page_wide():
    figure = plot_curves([theta1(), theta2()], PANELS * 3, sweep_labels={"theta2": "second"}, panel_width=3.6)
    assert figure.get_size_inches().tolist() == pytest.approx([3 * 3.6, 4 * 2.8])
    assert [axes.get_title(loc="left") for axes in figure.axes][::6] == ["theta1", "second"]
    assert figure.axes[1].get_ylim() == figure.axes[7].get_ylim() != figure.axes[0].get_ylim()
    narrow = plot_curves([theta1(), theta2()], PANELS * 3, columns=2, panel_width=3.6)
    assert narrow.get_size_inches().tolist() == pytest.approx([2 * 3.6, 6 * 2.8])


def test_a_coordinate_is_marked_only_where_a_point_lies():
    for grid, marks in (
        ((-2, 0.5, 3), []),
        ((0, 0.5, 3), ["model negative"]),
        ((-2, 1, 3), ["model positive"]),
    ):
        (axes, _) = plot_curves([theta1(grid=grid)], PANELS).axes
        assert [text.get_text() for text in axes.texts] == marks
        assert len([drawn for drawn in axes.lines if drawn not in curves(axes)]) == len(marks)
    # Of overlaid sweeps each has its own coordinates.
    (axes, _) = plot_curves([theta1(grid=(-2, 3)), theta2(grid=(0, 1, 2))], PANELS, {"gamma": "γ"}, overlay=True).axes
    assert [text.get_text() for text in axes.texts] == ["model base", "γ = 1"]


def test_style_sets_all_sizes():
    style = figure_style(7.5)
    assert {style[key] for key in ("font.size", "axes.labelsize", "xtick.labelsize", "legend.fontsize")} == {7.5}

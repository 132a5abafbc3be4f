"""Figures of the analyses: what they draw, and what they refuse."""

import itertools

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.text import Text

from lm_interpolation.analyses.barriers import BARRIER_COLUMNS
from lm_interpolation.analyses.geometry import NORM_COLUMNS
from lm_interpolation.figures.plot_barrier import plot_barrier
from lm_interpolation.figures.plot_linearity import plot_linearity
from lm_interpolation.figures.plot_norms import plot_norms
from lm_interpolation.figures.plot_search import plot_search
from lm_interpolation.figures.plot_training import plot_training
from lm_interpolation.figures.plot_words import plot_words
from lm_interpolation.figures.style import save_figure
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.searches import search_table


def dashes(line):
    """Lengths of dashes and gaps in line widths, None for a solid line."""
    _, pattern = line._dash_pattern
    return pattern and tuple(round(length / line.get_linewidth(), 3) for length in pattern)


def drawn(axes):
    """The lines with data, without reference lines."""
    return [line for line in axes.lines if line.get_marker() not in ("None", None, "") and len(line.get_xdata())]


def legend_texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def all_inside(figure):
    """Whether nothing of the figure is cut off."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox()  # inches
    width, height = figure.get_size_inches()
    return box.x0 >= -0.01 and box.y0 >= -0.01 and box.x1 <= width + 0.01 and box.y1 <= height + 0.01


# --- words


def words() -> pd.DataFrame:
    rows = []
    entries = [
        ("word", "good", "fine", 1, "Ġfine", (0.01, 0.02, 0.03)),
        ("word", "good", "heartwarming", 2, "Ġheart|warming", (0.02, 0.03, 0.05)),
        ("word", "bad", "naïve", 2, "Ġna|Ã¯ve", (0.03, 0.02, 0.01)),
        ("token", "rises", " $", 1, "Ġ$", (0.1, 0.2, 0.3)),
        ("token", "rises", "\ufffd", 1, "æ", (0.1, 0.1, 0.2)),
        ("token", "rises", "\ufffd", 1, "ç", (0.2, 0.2, 0.3)),
        ("token", "falls", " 中", 1, "Ġä¸Ń", (0.3, 0.2, 0.1)),
    ]
    # Not in the order of the coordinate, as any table may be.
    for index, (alpha, point) in enumerate([(1.0, "positive=1"), (0.0, "negative=1"), (3.0, "negative=-2+positive=3")]):
        for kind, group, text, tokens, pieces, values in entries:
            value = values[(1, 0, 2)[index]]
            row = ("theta1", alpha, point, kind, group, text, tokens, pieces, value, value)
            rows.append(row)
    columns = ["point", "kind", "group", "text", "tokens", "pieces", "probability", "first_token_probability"]
    return pd.DataFrame(rows, columns=["sweep", "alpha", *columns])


def test_words_have_a_panel_per_group_and_a_line_per_text():
    figure = plot_words(words(), coordinate_labels={"alpha": "α"}, title="A title")
    headings = [axes.get_title(loc="left") for axes in figure.axes]
    assert headings == ["Words: good", "Words: bad", "Tokens that rise most", "Tokens that fall most"]
    assert [len(drawn(axes)) for axes in figure.axes] == [2, 1, 3, 1]
    np.testing.assert_allclose(drawn(figure.axes[0])[1].get_xydata(), [[0, 0.02], [1, 0.03], [3, 0.05]])
    assert {axes.get_xlabel() for axes in figure.axes} == {"α"}
    for axes in figure.axes:
        assert [line.get_xdata()[0] for line in axes.lines if line not in drawn(axes)] == [0, 1]
        marks = [(text.get_text(), text.get_position()[0]) for text in axes.texts]
        assert marks == [("model negative", 0), ("model positive", 1)]


def test_words_are_named_openly_in_the_order_of_their_lines():
    figure = plot_words(words())
    names = [legend_texts(axes.get_legend()) for axes in figure.axes]
    assert names == [
        ["heart·warming\n(2 tokens)", "fine"],  # the higher one first
        ["naïve\n(2 tokens)"],  # names of bytes are no text
        ["␣$", "ç", "æ"],
        ["␣\\u4e2d"],
    ]
    figure.draw_without_rendering()  # a single $ would begin a formula


def test_many_groups_of_words_are_no_wider_than_a_page():
    table = words()
    groups = [table[table["group"] == "bad"].assign(group=f"g{index}") for index in range(5)]
    figure = plot_words(pd.concat([*groups, table[table["kind"] == "token"]]))
    assert figure.get_size_inches().tolist() == pytest.approx([2 * 4.4, 4 * 2.8])
    assert len(figure.axes) == 7


def test_log_axes_say_so():
    axes = [*plot_words(words(), "log").axes, plot_norms(norms()).axes[0], *plot_search([search()]).axes[:1]]
    assert all(one.get_ylabel().endswith("(log scale)") for one in axes)
    assert plot_words(words()).axes[0].get_ylabel() == "probability"


def test_words_scales_and_missing_groups():
    linear, log = plot_words(words()), plot_words(words(), "log")
    assert {axes.get_yscale() for axes in linear.axes} == {"linear"}
    assert {axes.get_ylim()[0] for axes in linear.axes} == {0}
    assert {axes.get_yscale() for axes in log.axes} == {"log"}
    table = words()
    assert len(plot_words(table[table["kind"] == "word"]).axes) == 2
    assert len(plot_words(table[table["group"] != "falls"]).axes) == 3
    with pytest.raises(UserError, match="no group of words and no token"):
        plot_words(table[:0])
    with pytest.raises(UserError, match=r"'fine' is 0 at a point.*scale: linear"):
        plot_words(table.assign(probability=0.0), "log")
    plane = table.copy()
    plane.insert(2, "beta", 0.0)
    with pytest.raises(UserError, match=r"one coordinate; this table has \['alpha', 'beta'\]"):
        plot_words(plane)


# --- norms


def norms(scale=1e-3, zero=0) -> pd.DataFrame:
    names = [("wpe", "embedding", None), ("h.0.attn", "attention", 0), ("h.0.ln_1", "norm", 0), ("h.1.mlp", "mlp", 1)]
    names.append(("ln_f", "norm", None))
    rows = []
    for pair, factor in (("tuned", 1.0), ("unrelated", 100.0)):
        for index, (tensor, kind, layer) in enumerate(names):
            value = 0.0 if pair == "tuned" and index < zero else scale * factor * (index + 1)
            rows.append((pair, "m", "r", tensor, kind, layer, 4, 2 * value, value))
    return pd.DataFrame(rows, columns=NORM_COLUMNS).astype({"layer": "Int64"})


def points(axes):
    """Offsets (x, y) of all markers of a scatter plot."""
    return np.vstack([part.get_offsets() for part in axes.collections if isinstance(part, PathCollection)])


def test_pairs_of_norms_differ_in_their_filling():
    figure = plot_norms(norms())
    axes, _ = figure.axes
    looks = [
        {tuple(map(tuple, (part.get_facecolor()[0, :3], part.get_edgecolor()[0, :3])))}
        for part in axes.collections
        if isinstance(part, PathCollection)
    ]
    tuned, unrelated = set.union(*looks[:4]), set.union(*looks[4:])
    assert [len(tuned), len(unrelated)] == [1, 1]
    assert {face == edge for face, edge in tuned} == {True}
    assert {face for face, _ in unrelated} == {(1.0, 1.0, 1.0)}
    handles = axes.get_legend().legend_handles
    assert [handle.get_markerfacecolor() == "white" for handle in handles] == [False, True]


def test_norms_by_depth_on_one_log_scale():
    figure = plot_norms(norms(), title="A title")
    axes, strip = figure.axes
    assert axes.get_yscale() == strip.get_yscale() == "log"
    assert axes.get_ylim() == strip.get_ylim()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["emb.", "0", "1", "end"]
    depth = {round(float(y), 9): round(float(x)) for x, y in points(axes)}
    assert depth == {round(f * v * 1e-3, 9): d for f in (1, 100) for v, d in ((1, -1), (2, 0), (3, 0), (4, 1), (5, 2))}
    assert sorted(points(strip)[:, 1]) == pytest.approx(sorted(norms()["scaled_norm"]))
    medians = [part.get_segments()[0][0, 1] for part in strip.collections if isinstance(part, LineCollection)]
    assert medians == pytest.approx([0.003, 0.3])
    assert legend_texts(axes.get_legend()) == ["tuned", "unrelated"]
    assert legend_texts(figure.legends[0]) == ["attention", "mlp", "norm", "embedding"]
    assert all_inside(figure)


def test_norms_of_equal_tensors_are_counted():
    figure = plot_norms(norms(zero=2))
    axes, strip = figure.axes
    assert legend_texts(axes.get_legend())[0] == "tuned (2 tensors unchanged)"
    assert legend_texts(plot_norms(norms(zero=1)).axes[0].get_legend())[0] == "tuned (1 tensor unchanged)"
    assert len(points(axes)) == len(points(strip)) == 8
    median = next(part for part in strip.collections if isinstance(part, LineCollection))
    assert median.get_segments()[0][0, 1] == pytest.approx(0.004)  # of 0.003, 0.004, 0.005
    whole = plot_norms(norms(zero=5))
    assert legend_texts(whole.axes[0].get_legend())[0] == "tuned (5 tensors unchanged)"
    with pytest.raises(UserError, match="no tensor differs"):
        plot_norms(norms(scale=0))
    with pytest.raises(UserError, match="no tensor is in a numbered block"):
        plot_norms(norms().assign(layer=pd.NA))


def test_norms_of_many_blocks_have_readable_ticks():
    table = norms()
    blocks = pd.concat([table[table["layer"] == 1].assign(layer=layer) for layer in range(1, 36)])
    figure = plot_norms(pd.concat([table[:4], blocks[blocks["pair"] == "tuned"], table[4:]]))
    figure.draw_without_rendering()
    boxes = sorted((label.get_window_extent() for label in figure.axes[0].get_xticklabels()), key=lambda box: box.x0)
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert len(boxes) == 10  # both ends and every fifth block


# --- training


def curve(start=4.0, steps=40, rate=1e-3) -> pd.DataFrame:
    rows = [(step, "train", start - step / 20, rate * (1 - step / steps)) for step in range(10, steps + 1, 10)]
    rows += [(step, "dev", start - step / 20 + 0.5 * (step == 40), None) for step in range(20, steps + 1, 20)]
    return pd.DataFrame(rows, columns=["step", "split", "loss", "learning_rate"]).astype({"learning_rate": float})


def test_training_shows_losses_perplexity_and_learning_rate():
    figure = plot_training([curve(), curve(5.0)], ["base", "other"], title="A title")
    axes, rate = figure.axes
    train, dev = axes.lines[:2]
    np.testing.assert_allclose(train.get_xydata(), [[10, 3.5], [20, 3.0], [30, 2.5], [40, 2.0]])
    np.testing.assert_allclose(dev.get_xydata(), [[20, 3.0], [40, 2.5]])
    assert train.get_color() == dev.get_color() == rate.lines[0].get_color() != axes.lines[2].get_color()
    np.testing.assert_allclose(rate.lines[0].get_ydata(), [7.5e-4, 5e-4, 2.5e-4, 0])
    # Without colour, too, it is seen which train loss and which learning rate are whose.
    base, other = ({dashes(line) for line in lines} for lines in ([train, dev, rate.lines[0]], axes.lines[2:4]))
    assert len(base) == len(other) == 1 and base != other
    assert axes.lines[3].get_marker() != dev.get_marker()
    assert [text.replace("\n", " ") for text in legend_texts(axes.get_legend())] == [
        "model base: lowest dev loss 2.5 (perplexity 12.2) at step 40",
        "model other: lowest dev loss 3.5 (perplexity 33.1) at step 40",
    ]
    assert all_inside(figure)


@pytest.mark.parametrize(("start", "spread"), [(4.0, 2.0), (3.0, 0.02), (11.0, 8.0), (3.0, 1.0)])
def test_training_has_round_perplexities_at_their_logarithms(start, spread):
    table = curve(start)
    table["loss"] = start - spread * table["step"] / 40
    figure = plot_training([table], ["base"])
    (right,) = figure.axes[0].child_axes
    figure.draw_without_rendering()
    ticks = [float(label.get_text().replace(",", "")) for label in right.get_yticklabels()]
    assert 3 <= len(ticks) <= 10
    np.testing.assert_allclose(right.get_yticks(), np.log(ticks), rtol=1e-5)
    assert right.get_ylim() == pytest.approx(figure.axes[0].get_ylim())


@pytest.mark.parametrize("split", ["train", "dev"])
def test_training_without_a_split_is_refused(split):
    table = curve()
    with pytest.raises(UserError, match=rf"models\.other: its loss curve has no {split} loss"):
        plot_training([table, table[table["split"] != split]], ["base", "other"])


# --- search


def search(name="positive", sizes=(8, 16), configured=(1e-4, 8, 20)) -> pd.DataFrame:
    rows = []
    for rate in (1e-5, 1e-4):
        for size in sizes:
            for steps in (10, 20, 40):
                loss = 3.0 + 1e-6 / rate + size / 100 - steps / 1000
                if rate == 1e-4 and size == 16 and steps > 10:
                    loss = np.nan
                rows.append(
                    {"learning_rate": rate, "batch_size": size, "steps": steps, "dev_loss": loss}
                    | {"dev_perplexity": np.exp(loss)}
                )
    return search_table(name, rows, dict(zip(("learning_rate", "batch_size", "steps"), configured, strict=True)))


def marked(axes, marker, size):
    return [line for line in drawn(axes) if line.get_marker() == marker and line.get_markersize() == size]


def test_search_has_a_row_per_search_and_a_panel_per_batch_size():
    figure = plot_search([search(), search("negative", sizes=(8, 16, 32))], title="A title")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        "positive, batch size 8",
        "batch size 16",
        "negative, batch size 8",
        "batch size 16",
        "batch size 32",
    ]
    first = figure.axes[0]
    slow, fast = [line for line in drawn(first) if line.get_linestyle() != "None"]
    np.testing.assert_allclose(slow.get_xydata()[:, 0], [10, 20, 40])
    np.testing.assert_allclose(np.log(fast.get_xydata()[:, 1]), [3.08, 3.07, 3.05])
    assert first.get_xscale() == first.get_yscale() == "log"
    assert first.get_ylim() == figure.axes[1].get_ylim()
    assert [label.get_text() for label in first.get_xticklabels()] == ["10", "20", "40"]
    (legend,) = figure.legends
    assert legend_texts(legend) == ["learning rate 1e-5", "learning rate 0.0001", "chosen: lowest on dev", "configured"]
    assert all_inside(figure)


def test_search_marks_the_chosen_and_the_configured_trial():
    figure = plot_search([search()])
    (ring,), (cross,) = marked(figure.axes[0], "o", 10), marked(figure.axes[0], "x", 6.5)
    np.testing.assert_allclose(ring.get_xydata(), [[40, np.exp(3.05)]])
    np.testing.assert_allclose(cross.get_xydata(), [[20, np.exp(3.07)]])
    assert [text.get_text() for text in figure.axes[0].texts] == ["21.12"]
    assert not marked(figure.axes[1], "o", 10) and not marked(figure.axes[1], "x", 6.5)
    elsewhere = plot_search([search(configured=(1e-3, 8, 20))])
    assert "configured" not in legend_texts(elsewhere.legends[0])


def test_searches_of_many_batch_sizes_are_no_wider_than_a_page():
    figure = plot_search([search(sizes=(1, 2, 4, 8, 12)), search("negative")])
    assert figure.get_size_inches().tolist() == pytest.approx([3 * 3.6, 3 * 2.8])
    assert len(figure.axes) == 7
    assert figure.axes[0].get_ylim() == figure.axes[4].get_ylim()
    labelled = [bool(axes.get_ylabel()) for axes in figure.axes]
    assert labelled == [True, False, False, True, False, True, False]


def test_search_tells_which_trials_diverged():
    figure = plot_search([search()])
    assert figure.axes[0].get_xlabel() == "steps (log scale)"
    assert figure.axes[1].get_xlabel() == "steps (log scale)\n(diverged: 0.0001 at 20, 40 steps)"
    (_, fast) = [line for line in drawn(figure.axes[1]) if line.get_linestyle() != "None"]
    assert list(fast.get_xdata()) == [10]
    with pytest.raises(UserError, match=r"searches\.positive: no trial is chosen"):
        plot_search([search().assign(chosen=False)])


# --- barrier


def line(sweep, prompts, quantity, name, height) -> list[tuple]:
    head = (sweep, prompts, quantity, name)
    rows = [(*head, "excess", x, y, y - 0.1, y + 0.1) for x, y in ((1.0, 0.0), (0.0, 0.0), (0.5, height))]
    top = max(height, 0.0)
    # Of a maximum the interval may lie above the estimate.
    return [*rows, (*head, "barrier", 0.5 if top else 0.0, top, top + 0.02, top + 0.1)]


def barriers() -> pd.DataFrame:
    rows = line("theta1", "neutral", "perplexity", "", -0.2) + line("other", "neutral", "perplexity", "", 1.5)
    for sweep, height in (("theta1", -0.1), ("other", 2.0)):
        for name in ("negative", "positive"):
            rows += line(sweep, "", "loss", name, height)
    return pd.DataFrame(rows, columns=BARRIER_COLUMNS)


def test_barriers_stand_beside_their_curves():
    figure = plot_barrier(barriers(), {"theta1": "θ₁"}, {"alpha": "α", "delta": "δ"}, title="A title")
    perplexity, loss, forest = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Log perplexity", "Loss", "Barrier"]
    np.testing.assert_allclose(drawn(perplexity)[1].get_xydata(), [[0, 0], [0.5, 1.5], [1, 0]])
    assert [len(drawn(axes)) for axes in (perplexity, loss)] == [2, 4]
    assert perplexity.get_xlabel() == "α, δ"
    for axes in (perplexity, loss):
        assert [list(line.get_ydata()) for line in axes.lines if line not in drawn(axes)] == [[0, 0]]
    labels = [label.get_text() for label in forest.get_yticklabels()]
    assert labels[:3] == [
        "θ₁\nperplexity, neutral prompts",
        "other\nperplexity, neutral prompts",
        "θ₁\nloss, negative texts",
    ]
    assert [float(mark.get_xdata()[0]) for mark in drawn(forest)] == [0, 1.5, 0, 0, 2, 2]
    assert [text.get_text() for text in forest.texts][:2] == ["0 [0.02, 0.1]", "1.5 [1.52, 1.6]\nat 0.5"]
    bars = [line for line in forest.lines if len(line.get_xdata()) == 2 and line not in drawn(forest)][1:]
    np.testing.assert_allclose([bar.get_xdata() for bar in bars[:2]], [[0.02, 0.1], [1.52, 1.6]])
    # Colour and marker are the key of the curves; without colour marker and dashes tell them apart.
    for curves, marks in ((drawn(perplexity), drawn(forest)[:2]), (drawn(loss), drawn(forest)[2:])):
        assert [(c.get_color(), c.get_marker()) for c in curves] == [(m.get_color(), m.get_marker()) for m in marks]
        assert len({c.get_marker() for c in curves}) == len({dashes(c) for c in curves}) == len(curves)
    assert len({matplotlib.colors.to_hex(mark.get_color()) for mark in drawn(forest)}) == 6
    assert all_inside(figure)


def test_barriers_of_what_there_is():
    table = barriers()
    assert len(plot_barrier(table[table["quantity"] == "perplexity"]).axes) == 2
    whole = pd.DataFrame(line("theta1", "", "loss", "", 0.3), columns=BARRIER_COLUMNS)
    whole.loc[:, ["low", "high"]] = np.nan
    figure = plot_barrier(whole)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Loss", "Barrier"]
    assert figure.axes[1].get_yticklabels()[0].get_text() == "theta1\nloss, all texts"
    assert figure.axes[1].texts[0].get_text() == "0.3 (no interval)\nat 0.5"
    with pytest.raises(UserError, match="the table of barriers has no rows"):
        plot_barrier(table[:0])
    for row in ("excess", "barrier"):
        with pytest.raises(UserError, match="sweep theta1, perplexity neutral: the table lacks its heights or its bar"):
            plot_barrier(table[table["row"] != row])


def test_no_two_lines_of_barriers_look_alike():
    # Ten perplexities and two losses, more than there are colours.
    rows = [row for index in range(10) for row in line(f"s{index}", "neutral", "perplexity", "", 0.1 * index)]
    rows += [row for name in ("negative", "positive") for row in line("s0", "", "loss", name, 0.2)]
    perplexity, loss, forest = plot_barrier(pd.DataFrame(rows, columns=BARRIER_COLUMNS)).axes
    looks = {(mark.get_marker(), dashes(mark)) for mark in drawn(perplexity) + drawn(loss)}
    assert len(looks) == 12
    assert len({(matplotlib.colors.to_hex(mark.get_color()), mark.get_marker()) for mark in drawn(forest)}) == 12


def test_a_barrier_without_a_point_in_between_is_not_measured():
    rows = pd.DataFrame(
        line("theta1", "", "loss", "", 0.3) + line("other", "", "loss", "", 0.2), columns=BARRIER_COLUMNS
    )
    lost = (rows["sweep"] == "theta1") & ((rows["row"] == "barrier") | (rows["coordinate"] == 0.5))
    rows.loc[lost & (rows["row"] == "barrier"), ["coordinate", "estimate", "low", "high"]] = np.nan
    figure = plot_barrier(rows[~lost | (rows["row"] == "barrier")])
    texts = [text.get_text() for text in figure.axes[1].texts]
    assert texts == ["not measured: no\npoint between 0 and 1", "0.2 [0.22, 0.3]\nat 0.5"]
    assert all_inside(figure)
    # Nothing measured at all.
    figure = plot_barrier(rows[lost | (rows["sweep"] == "theta1")])
    assert all_inside(figure)


# --- linearity


def linearity(grid=(-1.0, 0.0, 1.0), anchors=()) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = []
    names = {(0.0, 0.0): "base=1", (1.0, 0.0): "positive=1", (0.0, 1.0): "negative=1"}
    for a, b in [(a, b) for b in grid for a in grid] + list(anchors):
        point = names.get((a, b), "base=-1+negative=1+positive=1")
        error = 0.05 * (abs(a) + 3 * abs(b))
        rows.append(("plane", a, b, point, "logits", np.nan, np.nan, 1.0, error, error))
        value = 0.1 * a - 0.2 * b
        relative = np.nan if (a, b) == (-1, -1) else 2 * error
        rows.append(("plane", a, b, point, "margin", value, value + 0.01 * a, 1.0, error, relative))
    columns = ["sweep", "alpha", "beta", "point", "quantity"]
    columns += ["value", "prediction", "change", "error", "relative_error"]
    summary = [("logits", 0.5, 0.6, 0.9, 0.95, 0.1, 0.25, 0.5), ("margin", 0.11, -0.2, -3.0, np.nan, 0.1, 0.2, 0.0)]
    keys = ["quantity", "c1", "c2", "r2", "r2_unit", "tolerance", "share_within", "reach"]
    return pd.DataFrame(rows, columns=columns), pd.DataFrame(summary, columns=keys)


def test_linearity_maps_errors_over_the_plane():
    figure = plot_linearity(*linearity(), {"alpha": "α", "beta": "β"}, title="A title")
    logits, margin, scatter, bar = figure.axes
    mesh = logits.collections[0]
    np.testing.assert_allclose(
        mesh.get_array(), [[0.2, 0.15, 0.2], [0.05, 1e-12, 0.05], [0.2, 0.15, 0.2]]
    )  # rows: beta; a floor at theta0, where the error is 0
    np.testing.assert_allclose(mesh.get_coordinates()[0, :, 0], [-1.5, -0.5, 0.5, 1.5])
    assert isinstance(mesh.norm, matplotlib.colors.LogNorm) and mesh.get_clim() == (0.01, 1)
    assert np.argwhere(margin.collections[0].get_array().mask).tolist() == [[0, 0]]
    assert [label.get_text() for label in bar.get_yticklabels()] == ["1 %", "3 %", "10 %", "30 %", "100 %"]
    assert sorted(text.get_text() for text in logits.texts) == ["model base", "model negative", "model positive"]
    assert (logits.get_xlabel(), logits.get_ylabel()) == ("α", "β")
    assert logits.get_title(loc="left") == (
        "Logits: R² = 0.9 (if |α|, |β| ≤ 1: 0.95)\nerror ≤ 10 % at 25 % of points,\nat all with |α|, |β| ≤ 0.5"
    )
    assert scatter.get_title(loc="left") == "Margin: R² = −3 (if |α|, |β| ≤ 1: –)\nC₁ = 0.11, C₂ = −0.2"
    np.testing.assert_allclose(scatter.collections[0].get_offsets()[0], [0.09, 0.1])
    assert all_inside(figure)


def test_linearity_encloses_exactly_the_cells_within_the_tolerance():
    figure = plot_linearity(*linearity())
    lines = [part for part in figure.axes[0].collections if isinstance(part, LineCollection)]
    segments = {tuple(sorted(map(tuple, segment.tolist()))) for segment in lines[0].get_segments()}
    # The middle row of cells, y in [-0.5, 0.5], x in [-1.5, 1.5]: both ends and three pieces above and below.
    ends = {((x, -0.5), (x, 0.5)) for x in (-1.5, 1.5)}
    assert segments == ends | {((x, y), (x + 1, y)) for x in (-1.5, -0.5, 0.5) for y in (-0.5, 0.5)}


def test_linearity_draws_points_off_the_grid_as_discs():
    grid = (-1.5, -0.5, 0.5, 1.5)
    figure = plot_linearity(*linearity(grid, [(0.0, 0.0), (1.0, 0.0), (0.0, 3.0)]))
    axes = figure.axes[0]
    assert axes.collections[0].get_array().shape == (4, 4)
    discs = next(part for part in axes.collections if isinstance(part, PathCollection))
    np.testing.assert_allclose(discs.get_offsets(), [[0, 0], [1, 0], [0, 3]])
    assert axes.get_ylim()[1] > 3 and axes.get_xlim() == (-2, 2)


def test_linearity_refuses_what_it_cannot_draw():
    table, summary = linearity()
    with pytest.raises(UserError, match="linearity of sweep plane: has no margin"):
        plot_linearity(table[table["quantity"] == "logits"], summary)
    with pytest.raises(UserError, match="has no logits"):
        plot_linearity(table, summary[1:])
    with pytest.raises(UserError, match=r"two coordinates; this table has \['alpha'\]"):
        plot_linearity(table.drop(columns="beta"), summary)
    with pytest.raises(UserError, match=r"make no grid over \['alpha', 'beta'\]"):
        plot_linearity(table[table["beta"] == 0], summary)


def test_no_label_is_a_formula():
    """Figures show texts as they stand, so that matplotlib's own formulas would be shown as code."""
    figures = [plot_words(words(), "log"), plot_norms(norms()), plot_training([curve(rate=2e-5)], ["base"])]
    figures += [plot_search([search()]), plot_barrier(barriers()), plot_linearity(*linearity())]
    for figure in figures:
        figure.draw_without_rendering()
        texts = {text.get_text() for text in figure.findobj(Text) if text.get_visible()}
        assert not [text for text in texts if "$" in text.replace("␣$", "")], texts


def test_files_are_reproducible(tmp_path):
    for name in ("one", "two"):
        for kind, figure in (("norms", plot_norms(norms())), ("linearity", plot_linearity(*linearity()))):
            save_figure(figure, tmp_path / f"{kind}-{name}.png", tmp_path / f"{kind}-{name}.pdf", dpi=50)
    for kind in ("norms", "linearity"):
        for suffix in ("png", "pdf"):
            one, two = (tmp_path / f"{kind}-{name}.{suffix}" for name in ("one", "two"))
            assert one.read_bytes() == two.read_bytes()

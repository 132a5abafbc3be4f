"""Figures of regions and of lines through them: what is drawn, and what the text beside them says."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lm_interpolation.analyses.region_tables import (
    PB_VALUES,
    REGION_COLUMNS,
    REGION_VALUES,
    superiority_table,
)
from lm_interpolation.analyses.traverse_tables import LEVELS, TRAVERSE_COLUMNS, TRAVERSE_VALUES
from lm_interpolation.figures.finding_region import find_region
from lm_interpolation.figures.finding_traverse import find_traverse
from lm_interpolation.figures.plot_region import plot_region
from lm_interpolation.figures.plot_traverse import plot_traverse
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.tables.tables import write_table

NONE = float("nan")


def losses() -> pd.DataFrame:
    """Two data sets, one harder by 2 nats, with ten models each; the hull is better, outside is worse."""
    rows = []
    for name, level in (("x", 3.0), ("y", 5.0)):
        rows.append((name, name, "base", "base", 1, level, 60))
        for number in range(10):
            step = number / 100
            rows.append((name, name, "in", f"{name}{number}", 1, level - 1 + step, 60))
            rows.append((name, name, "in'", f"hull {number}", 10, level - 1.5 + step, 60))
            other = "y" if name == "x" else "x"
            rows.append((name, name, "ex", f"{other}{number}", 1, level - 0.2 + step, 60))
    return pd.DataFrame(rows, columns=REGION_COLUMNS)


def test_losses_are_drawn_against_the_base_with_pb() -> None:
    table = losses()
    comparison = superiority_table(table, resamples=200, seed=0)
    figure = plot_region([table, table], [comparison, comparison], ["Groups by data", "Again"], title="Regions")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    title = axes.get_title(loc="left").splitlines()
    assert title[0] == "Groups by data" and title[1].startswith("PB(In′ < Ex) = 1 [0.83")
    assert title[2].startswith("PB(In′ < In) = 1 [") and title[3].startswith("PB(In < Ex) = 1 [")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["In\n(n = 20)", "In′\n(n = 20)", "Ex\n(n = 20)"]
    dots = [line for line in axes.lines if line.get_marker() not in ("None", "") and len(line.get_xdata()) == 20]
    # Data sets that differ in difficulty lie on each other.
    np.testing.assert_allclose([np.mean(line.get_ydata()) for line in dots], [-0.955, -1.455, -0.155])
    assert figure.axes[1].get_title(loc="left").startswith("Again") and len(figure.axes) == 2
    plt.close("all")


def test_infinite_losses_are_counted_below() -> None:
    table = losses()
    table.loc[table["point"] == "y3", "loss"] = np.inf
    comparison = superiority_table(table, resamples=200, seed=0)
    figure = plot_region([table], [comparison], ["Groups by data"])
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["In\n(n = 20)\n1 infinite", "In′\n(n = 20)", "Ex\n(n = 20)\n1 infinite"]
    table.loc[table["kind"] == "base", "loss"] = np.inf
    with pytest.raises(UserError, match="the base has an infinite loss"):
        plot_region([table], [comparison], ["Groups by data"])


def test_the_text_says_which_kind_is_better(tmp_path) -> None:
    table = losses()
    write_table(table, tmp_path / "r.csv", REGION_VALUES)
    write_table(superiority_table(table, resamples=200, seed=0), tmp_path / "r_pb.csv", PB_VALUES)
    found, last = find_region([tmp_path / "r.csv", tmp_path / "r_pb.csv"], {}, levels=["Groups by data"])
    assert found.startswith(
        "Groups by data (20 models, 2 groups, 2 data sets): the probability of the lower loss is 1 [0.83"
    )
    assert "of points of the hull against those outside, lower beyond chance; 1 [" in found
    assert last.startswith("PB counts pairs on one data set")
    # One model of each is on the other side of most.
    mixed = table.copy()
    places = mixed.index[mixed["kind"] == "in'"]
    mixed.loc[places, "loss"] = mixed.loc[mixed["kind"] == "in", "loss"].to_numpy()
    write_table(superiority_table(mixed, resamples=200, seed=0), tmp_path / "r_pb.csv", PB_VALUES)
    found, *_ = find_region([tmp_path / "r.csv", tmp_path / "r_pb.csv"], {}, levels=["Groups by data"])
    assert "0.5 [" in found and "of points of the hull against models of the group, no difference shown" in found


def lines() -> pd.DataFrame:
    """Made-up curves: at each level the excess is a parabola through both ends, steeper from level to level."""
    rows = []
    alphas = [-31, -3, -1, 0, 0.25, 0.5, 0.75, 1, 2, 4, 32]
    for place, level in enumerate(LEVELS, start=1):
        for alpha in alphas:
            excess = 0.1 * place * alpha * (alpha - 1)
            interval = (NONE, NONE) if alpha in (0, 1) else (excess - 0.01, excess + 0.01)
            loss = 3 + excess
            rows.append((level, alpha, loss, loss - 0.1, loss + 0.1, excess, *interval, 10, 1 if alpha == 32 else 0))
    for level, factor in (("origin", 0.1), ("random", 2.0)):
        for alpha in (0, 0.01, 0.1, 1):
            excess = factor * alpha
            interval = (NONE, NONE) if level == "origin" else (excess - 0.05, excess + 0.05)
            ends = (NONE, NONE) if level == "origin" else (2.9 + excess, 3.1 + excess)
            rows.append((level, alpha, 3 + excess, *ends, excess, *interval, 1 if level == "origin" else 10, 0))
    return pd.DataFrame(rows, columns=TRAVERSE_COLUMNS)


def test_three_panels_show_each_level() -> None:
    figure = plot_traverse(lines(), title="Lines")
    figure.draw_without_rendering()
    between, beyond, around = figure.axes
    # One legend for all panels.
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    levels = ["models of the same data set", "of the same group", "of different groups"]
    assert labels == [*levels, "towards the origin", "random directions"]
    curve = next(line for line in between.lines if line.get_label() == labels[0])
    np.testing.assert_allclose(curve.get_xdata(), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.get_ydata(), [0, -0.01875, -0.025, -0.01875, 0])
    assert (beyond.get_xscale(), beyond.get_yscale()) == ("symlog", "log")
    assert (around.get_xscale(), around.get_yscale()) == ("log", "log")
    # Triangles where lines do not count, one per level.
    lost = [line for line in beyond.lines if line.get_marker() == "^" and line.get_linestyle() == "None"]
    assert [list(line.get_xdata()) for line in lost] == [[32]] * 3
    assert min(line.get_xdata()[0] for line in around.lines if len(line.get_xdata()) == 3) == 0.01
    plt.close("all")


def test_a_level_without_pairs_is_left_out() -> None:
    table = lines()
    figure = plot_traverse(table[table["level"] != "same task"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "models of the same data set",
        "of different groups",
        "towards the origin",
        "random directions",
    ]


def test_the_text_says_what_happens_between_and_beyond(tmp_path) -> None:
    write_table(lines(), tmp_path / "t.csv", TRAVERSE_VALUES)
    same, _, different, centroid, lost = find_traverse([tmp_path / "t.csv"], {})
    assert same == (
        "Half-way between models of the same data set (10 pairs) the loss differs from that of the ends by −0.025 "
        "[−0.035, −0.015], lower beyond chance; beyond, by 0.2 [0.19, 0.21] at α = 2 and 99.2 [99.19, 99.21] at α = 32."
    )
    assert different.startswith("Half-way between models of different groups (10 pairs)")
    assert centroid == (
        "From the centroid the loss changes towards the origin by 0.001 at a step of 0.01 and 0.1 at 1, and in random "
        "directions of the same length by 0.02 [−0.03, 0.07] at a step of 0.01 and 2 [1.95, 2.05] at 1."
    )
    assert lost == "Infinite losses, which do not count: 3 (triangles); the mean there is higher than shown."

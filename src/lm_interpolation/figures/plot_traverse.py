"""Figure of losses between and beyond models: interpolation, extrapolation, and ways from the centroid."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import ticker
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lm_interpolation.analyses.traverse_tables import LEVELS, ORIGIN, RANDOM
from lm_interpolation.figures.naming import scaled_label
from lm_interpolation.figures.panels import panels_of
from lm_interpolation.figures.series import series_styles
from lm_interpolation.figures.style import figure_style, figure_title, log_ticks, panel_grid

_LABELS = {
    **dict(zip(LEVELS, ("models of the same data set", "of the same group", "of different groups"), strict=True)),
    ORIGIN: "towards the origin",
    RANDOM: "random directions",
}
_TICKS = (-31, -10, -3, 0, 1, 4, 11, 32)
"""Alike on both sides: 1 - alpha of one is another."""


def plot_traverse(
    table: pd.DataFrame,
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Mean losses along lines by level, with 95 % bands over lines, in three panels.

    ``table``: see ``traverse.traverse``. Left: excess over the mean of both ends, between them. Middle: the loss over
    all coordinates, on a log axis; the coordinate is linear between -1 and 1 and logarithmic beyond. Right: the loss
    over the step from the centroid, both logarithmic; a dashed line is the centroid's. A triangle marks where lines
    with an infinite loss do not count. ``panel_width`` and ``panel_height`` are in inches, ``font_size`` is in points.
    """
    styles = dict(zip(_LABELS, series_styles(len(_LABELS)), strict=True))
    deep, wide = panel_grid(3, panel_width)
    with mpl.rc_context(figure_style(font_size)):
        # The legend below takes two lines of text.
        height = panel_height * deep + 3 * font_size / 72
        figure = Figure(figsize=(panel_width * wide, height), layout="constrained")
        between, beyond, around = panels_of(figure, 3, deep, wide)
        inside = table[(table["alpha"] >= 0) & (table["alpha"] <= 1)]
        _curves(between, inside, LEVELS, "excess", styles)
        between.axhline(0, color="0.45", linestyle="--", linewidth=0.8, zorder=1)
        between.set_xlabel("α between two models")
        between.set_ylabel("Loss minus mean of both ends (nats)")
        _curves(beyond, table, LEVELS, "loss", styles)
        for end in (0, 1):
            beyond.axvline(end, color="0.45", linestyle="--", linewidth=0.8, zorder=1)
        beyond.set_xscale("symlog", linthresh=1, linscale=0.6)
        beyond.set_xticks(_TICKS, [f"{value:g}".replace("-", "−") for value in _TICKS])
        beyond.xaxis.set_minor_locator(ticker.NullLocator())
        beyond.set_xlabel("α, beyond both models")
        steps = table[table["alpha"] > 0]
        _curves(around, steps, (ORIGIN, RANDOM), "loss", styles)
        centre = table.loc[(table["level"] == ORIGIN) & (table["alpha"] == 0), "loss"]
        around.axhline(float(centre.iloc[0]), color="0.45", linestyle="--", linewidth=0.8, zorder=1)
        around.set_xscale("log")
        around.set_xlabel(scaled_label("step from the centroid / its length", "log"))
        for axes in (beyond, around):
            axes.set_ylabel(scaled_label("Loss (nats)", "log"))
            log_ticks(axes)
        curves: dict[str, Artist] = {}
        for axes in (between, beyond, around):
            sns.despine(ax=axes)
            handles, labels = axes.get_legend_handles_labels()
            curves |= dict(zip(labels, handles, strict=True))
        columns = {1: 1, 2: 3}.get(wide, len(curves))
        figure.legend(curves.values(), curves.keys(), loc="outside lower center", ncols=columns, frameon=False)
        if title:
            figure_title(figure, title, font_size + 2)
    return figure


def _curves(
    axes: Axes, table: pd.DataFrame, levels: Sequence[str], quantity: str, styles: Mapping[str, Mapping[str, Any]]
) -> None:
    """Draw a curve and a band for each level that the table has; a loss is on a log axis."""
    low, high = ("excess_low", "excess_high") if quantity == "excess" else ("low", "high")
    if quantity == "loss":
        axes.set_yscale("log")
        shown = table.loc[table["level"].isin(levels), "loss"]
        # Bands may reach below 0, or far above, where few lines differ much.
        axes.set_ylim(shown.min() / 1.3, shown.max() * 1.6)
    floor = axes.get_ylim()[0] if quantity == "loss" else -np.inf
    for level in levels:
        rows = table[table["level"] == level].sort_values("alpha")
        if rows.empty:
            continue
        axes.plot(rows["alpha"], rows[quantity], label=_LABELS[level], **styles[level], zorder=3)
        band = rows.dropna(subset=[low, high])
        colour = styles[level]["color"]
        axes.fill_between(
            band["alpha"], np.maximum(band[low], floor), band[high], color=colour, alpha=0.18, linewidth=0
        )
        lost = rows[rows["infinite"] > 0]
        axes.plot(lost["alpha"], lost[quantity], linestyle="", marker="^", markersize=7, color=colour, zorder=4)

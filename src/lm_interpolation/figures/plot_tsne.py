"""Figure of a map of models in weight space, a panel per label."""

from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lm_interpolation.figures.series import COLOURS, FILLINGS, MARKERS, check_count
from lm_interpolation.figures.style import figure_style, figure_title

_ROWS = 14
"""Entries of a legend in one column."""


def plot_tsne(
    table: pd.DataFrame,
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """The same map of models in each panel; colour, marker and filling show the value of one label.

    ``table``: the places of ``regions.region_tables``. A cross lies over a model whose cluster is matched with another
    value. The legend of a panel is beside it, ``panel_width`` and ``panel_height`` are those of a panel without it, in
    inches; ``font_size`` is in points. Raises ``UserError`` if a label has more values than can be told apart.
    """
    labels = list(dict.fromkeys(table["label"]))
    values = {label: list(dict.fromkeys(table.loc[table["label"] == label, "value"])) for label in labels}
    for known in values.values():
        check_count(len(known))
    legends = [_legend_width(known, font_size) for known in values.values()]
    with mpl.rc_context(figure_style(font_size)):
        width = len(labels) * panel_width + sum(legends)
        figure = Figure(figsize=(width, 1.15 * panel_height), layout="constrained")
        grid = figure.subplots(1, len(labels), squeeze=False, width_ratios=[panel_width + one for one in legends])
        for axes, label in zip(grid[0], labels, strict=True):
            _draw(axes, table[table["label"] == label], values[label])
            axes.set_title(f"by {label}", loc="left")
            columns = -(-len(values[label]) // _ROWS)
            style: dict[str, Any] = {"frameon": False, "handletextpad": 0.2, "borderaxespad": 0.3}
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1), ncols=columns, columnspacing=0.8, **style)
        if title:
            figure_title(figure, title, font_size + 2)
    return figure


def _legend_width(values: list[str], font_size: float) -> float:
    """Inches: a character takes about 0.55 of the font size, marker and gaps about three."""
    return -(-len(values) // _ROWS) * (3 + max(map(len, values))) * 0.55 * font_size / 72


def _draw(axes: Axes, rows: pd.DataFrame, values: list[str]) -> None:
    for index, value in enumerate(values):
        part, colour = rows[rows["value"] == value], COLOURS[index % len(COLOURS)]
        # Markers return after nine, in another filling then.
        filling = index // len(MARKERS) % FILLINGS
        face, edge = ((colour, colour), ("white", colour), (colour, "0.1"))[filling]
        style: dict[str, Any] = {"facecolor": [face], "edgecolor": [edge], "marker": MARKERS[index % len(MARKERS)]}
        axes.scatter(part["x"], part["y"], s=22, alpha=0.85, linewidth=0.9, label=value, **style)
    apart = rows[rows["value"] != rows["cluster"]]
    if len(apart):
        axes.scatter(apart["x"], apart["y"], s=45, marker="x", color="0.1", linewidth=0.9, label="in another cluster")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("t-SNE 1")
    axes.set_ylabel("t-SNE 2")
    axes.margins(0.08)
    sns.despine(ax=axes)

"""Figure of the norms of weight differences (Fig. 9 of arXiv 2211.12092)."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lm_interpolation.figures.naming import scaled_label
from lm_interpolation.figures.series import COLOURS, FILLINGS, MARKERS, check_count
from lm_interpolation.figures.style import figure_style, figure_title, log_ticks, power_of_ten
from lm_interpolation.jobs.runtime import UserError

_KINDS = dict(zip(("attention", "mlp", "norm", "embedding", "head", "other"), MARKERS, strict=False))


def plot_norms(
    table: pd.DataFrame,
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Scaled norm of the difference of each tensor by depth, for all pairs of models on one log axis.

    ``table``: see ``geometry.weight_norms``. Left: one point per tensor over its depth (embedding, blocks, what follows
    them); colour and fill show the pair, the marker shows the kind of tensor. Right: the same points by pair, with
    their median. Tensors that do not differ (norm 0) have no place on a log axis: they are left out, also from the
    median, and counted in the legend. The figure is 2.2 ``panel_width`` by 1.3 ``panel_height`` inches; ``font_size``
    is in points.

    Raises ``UserError`` if the table has no rows, every norm is 0, no tensor is in a block, or there are more pairs
    than can be told apart.
    """
    changed = table[table["scaled_norm"] > 0]
    if changed.empty:
        raise UserError("no tensor differs between the models of any pair; compare models that are not equal")
    if table["layer"].isna().all():
        raise UserError("no tensor is in a numbered block (h.0, layers.0), so there is no depth to draw norms over")
    pairs = list(dict.fromkeys(table["pair"]))
    check_count(len(pairs))
    styles = {pair: _marker_colours(index) for index, pair in enumerate(pairs)}
    blocks = 1 + int(table["layer"].max())
    # Leave room for the names of both ends when there are many block numbers.
    gap = max(1.0, blocks / 12)
    table = table.assign(depth=_depth(table, gap))
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(2.2 * panel_width, 1.3 * panel_height), layout="constrained")
        axes, strip = figure.subplots(1, 2, sharey=True, width_ratios=[4, 1])
        for axis in (axes, strip):
            axis.set_yscale("log")
        random = np.random.default_rng(0)
        for index, pair in enumerate(pairs):
            part = table[(table["pair"] == pair) & (table["scaled_norm"] > 0)]
            # Pairs stand side by side within a depth.
            offset = 0.7 * ((index + 0.5) / len(pairs) - 0.5)
            for kind, points in part.groupby("kind"):
                _scatter(axes, points["depth"] + offset, points["scaled_norm"], styles[pair], _KINDS[str(kind)])
                jitter = random.uniform(-0.25, 0.25, len(points))
                _scatter(strip, index + jitter, points["scaled_norm"], styles[pair], _KINDS[str(kind)])
            if len(part):
                median = part["scaled_norm"].median()
                strip.hlines(median, index - 0.4, index + 0.4, color="0.1", linewidth=1.5, zorder=3)
        _depth_ticks(axes, blocks, gap)
        axes.set_xlabel("embedding, number of the block, end of the model")
        axes.set_ylabel(scaled_label("scaled norm ‖Δ‖ / √n", "log"))
        strip.set_xlabel("all (line: median)")
        strip.set_xticks([])
        strip.set_xlim(-0.6, len(pairs) - 0.4)
        log_ticks(axes)
        if axes.get_ylim()[0] < 1e-3:
            axes.yaxis.set_major_formatter(ticker.FuncFormatter(power_of_ten))
        for axis in (axes, strip):
            axis.grid(axis="y", color="0.9", linewidth=0.6)
            axis.set_axisbelow(True)
            sns.despine(ax=axis)
        if title:
            figure_title(figure, title, font_size + 2)
        _legends(figure, axes, table, styles, font_size)
    return figure


def _depth(table: pd.DataFrame, gap: float) -> list[float]:
    """Number of the block; ``gap`` before the first one for embeddings, after the last one for what follows."""
    last = table["layer"].max()
    depths: list[float] = []
    outside, pair_before = -gap, None
    # Rows of a pair are in the order of the model.
    for pair, layer in zip(table["pair"], table["layer"], strict=True):
        if pair != pair_before:
            outside = -gap
        if pd.notna(layer):
            outside = last + gap
        depths.append(float(layer) if pd.notna(layer) else outside)
        pair_before = pair
    return depths


def _depth_ticks(axes: Axes, blocks: int, gap: float) -> None:
    step = 1 if blocks <= 14 else 2 if blocks <= 26 else 5
    shown = range(0, blocks, step)
    end = blocks - 1 + gap
    axes.set_xticks([-gap, *shown, end], ["emb.", *map(str, shown), "end"])
    axes.set_xlim(-gap - 0.6, end + 0.6)
    for border in (-gap / 2, end - gap / 2):
        axes.axvline(border, color="0.75", linewidth=0.8, zorder=0)


def _marker_colours(index: int) -> tuple[Any, Any]:
    """Face and edge of a pair's markers: filled, hollow or rimmed in turn, so that pairs differ in greyscale, too."""
    colour = COLOURS[index % len(COLOURS)]
    return ((colour, colour), ("white", colour), (colour, "0.1"))[index % FILLINGS]


def _scatter(axes: Axes, x: pd.Series | np.ndarray, y: pd.Series, style: tuple[Any, Any], marker: str) -> None:
    face, edge = style
    axes.scatter(x, y, s=14, facecolor=[face], edgecolor=[edge], marker=marker, alpha=0.8, linewidth=0.8)


def _legends(
    figure: Figure,
    axes: Axes,
    table: pd.DataFrame,
    styles: Mapping[str, tuple[Any, Any]],
    font_size: float,
) -> None:
    """Pairs above the panels, with the count of tensors that are not drawn; kinds of tensors below."""
    pairs, kinds = [], []
    for pair, (face, edge) in styles.items():
        unchanged = int((table.loc[table["pair"] == pair, "scaled_norm"] == 0).sum())
        count = f" ({unchanged} tensor{'s' * (unchanged > 1)} unchanged)" if unchanged else ""
        colours = {"markerfacecolor": face, "markeredgecolor": edge}
        pairs.append(Line2D([], [], linestyle="", marker="o", label=pair + count, **colours))
    for kind, marker in _KINDS.items():
        if (table["kind"] == kind).any():
            kinds.append(Line2D([], [], linestyle="", marker=marker, color="0.35", markersize=4.5, label=kind))
    # The panel is about 0.7 of the figure; a character takes about 0.6 of the font size, marker and gaps about 5.
    longest = 5 + max(len(str(handle.get_label())) for handle in pairs)
    columns = max(1, min(len(pairs), int(0.7 * figure.get_figwidth() * 72 / (0.6 * font_size * longest))))
    common = {"frameon": False, "handletextpad": 0.2}
    # Part of the panel: a legend of the figure would cover its title.
    axes.legend(handles=pairs, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2, **common)
    figure.legend(handles=kinds, loc="outside lower center", ncols=len(kinds), **common)

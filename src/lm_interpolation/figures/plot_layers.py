"""Figure of what single layers and kinds of tensors contribute to a fine-tuned model."""

import textwrap
from collections.abc import Hashable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lm_interpolation.figures.colours import colour_scale
from lm_interpolation.figures.layers_data import select_layers
from lm_interpolation.figures.style import figure_style, figure_title

PANELS = {"graft": "share of the gain kept, grafted alone", "reset": "share of the gain lost, reset alone"}
OUTSIDE, ALL = "outside", "all"
_WRITTEN = 14
"""Columns up to which cells have numbers."""


def plot_layers(
    table: pd.DataFrame,
    statistic: str = "nll_token",
    class_name: str | None = None,
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Two heat maps over blocks and kinds of tensors: what each keeps if grafted alone, and loses if reset alone.

    ``table``: see ``layers.layer_effects``. The columns are the blocks, what is outside of them, and all of a kind; the
    rows are the kinds, and all of a block. Each panel has its own colours. Numbers in brackets (dots where there are
    many columns) have an interval that includes 0, or none. Groups without tensors are hatched. ``panel_width`` and
    ``panel_height`` are in inches, ``font_size`` is in points.

    Raises ``UserError`` if the table lacks the statistic or class, or if there is no gain.
    """
    rows = select_layers(table, statistic, class_name)
    rows = rows[rows["group"] != "whole"]
    blocks = sorted(rows["layer"].dropna().unique().tolist())
    columns: list[Any] = [*blocks, OUTSIDE, ALL]
    kinds = [*dict.fromkeys(rows.loc[rows["group"] == "kind", "kind"]), ALL]
    places = [_place(row, columns, kinds) for row in rows.to_dict("records")]
    rows = rows.assign(column=[place[0] for place in places], line=[place[1] for place in places])
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(2 * panel_width, panel_height), layout="constrained")
        for axes, (mode, label) in zip(figure.subplots(1, 2, sharey=True), PANELS.items(), strict=True):
            _draw(axes, rows[rows["mode"] == mode], (len(kinds), len(columns)), label, font_size, panel_width)
            step = -(-len(blocks) // 12)
            names = ["" if index % step else str(block) for index, block in enumerate(blocks)]
            axes.set_xticks(range(len(columns)), [*names, OUTSIDE, ALL])
            for tick in axes.get_xticklabels()[-2:]:
                tick.set_rotation(90)
            axes.set_xlabel("number of the block")
            axes.set_yticks(range(len(kinds)), kinds)
            axes.axvline(len(columns) - 1.5, color="white", linewidth=2.5)
            axes.axhline(len(kinds) - 1.5, color="white", linewidth=2.5)
        if title:
            figure_title(figure, title, font_size + 2)
    return figure


def _place(row: Mapping[Hashable, Any], columns: list[Any], kinds: list[str]) -> tuple[int, int]:
    """(column, row) of the cell of a group."""
    column = ALL if row["group"] == "kind" else OUTSIDE if pd.isna(row["layer"]) else row["layer"]
    return columns.index(column), kinds.index(row["kind"])


def _draw(
    axes: Axes, rows: pd.DataFrame, shape: tuple[int, int], label: str, font_size: float, panel_width: float
) -> None:
    values = np.full(shape, np.nan)
    values[rows["line"], rows["column"]] = rows["estimate"]
    for line, column in np.argwhere(np.isnan(values)):
        corner = (column - 0.5, line - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, facecolor="white", edgecolor="0.8", hatch="////", linewidth=0))
    scale = colour_scale(rows[["line", "column", "estimate", "low", "high"]])
    colours = mpl.colormaps[scale.map]
    image = axes.imshow(np.ma.masked_invalid(values), cmap=colours, norm=scale.norm, aspect="auto")
    for row in rows.to_dict("records"):
        sure = row["low"] > 0 or row["high"] < 0
        if shape[1] > _WRITTEN and sure:
            continue
        number = f"{row['estimate']:.2f}".replace("-", "−")
        text = "•" if shape[1] > _WRITTEN else number if sure else f"({number})"
        lightness = float(np.dot(to_rgb(colours(scale.norm(row["estimate"]))), (0.299, 0.587, 0.114)))
        # As large as fits: a cell is about 0.75 of its share of the panel, a character 0.55 of the font size.
        fits = 0.75 * panel_width * 72 / shape[1] / (0.55 * 6)
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": min(font_size - 2, fits)}
        axes.text(row["column"], row["line"], text, color="0.1" if lightness > 0.5 else "white", **style)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    bar.outline.set_linewidth(0.6)
    axes.set_title(textwrap.fill(label, 40), loc="left", fontsize=font_size)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)

"""Figures: score, acceptability and perplexity along sweeps (Fig. 3 of arXiv 2211.12092)."""

import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workflow.lib.runtime import UserError, atomic_path
from workflow.lib.tables import coordinate_columns, single_model

# Prompt sets differ in colour, marker and dashes, so that they can be told apart in greyscale as well.
_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))


def plot_curves(
    tables: Sequence[pd.DataFrame],
    panels: Sequence[Mapping[str, Any]],
    coordinate_labels: Mapping[str, str] | None = None,
    sweep_labels: Mapping[str, str] | None = None,
    title: str | None = None,
    width: float | None = None,
    height: float | None = None,
    font_size: float = 9.0,
) -> Figure:
    """Curves of several statistics along sweeps of one coordinate: one row per sweep, one column per panel.

    ``tables`` are sweep tables (``tables.sweep_table``), one per row. A panel is ``{scorer, statistic, label, scale}``
    with scale ``linear`` (default) or ``log``; all rows of a column share its y axis. Long labels are wrapped. Bands
    are the tables' 95 % intervals. Dashed lines mark coordinate 0 and 1 and name the model where the point there is a
    single model. ``coordinate_labels`` and ``sweep_labels`` replace names of coordinates (x axis) and of sweeps (above
    the row; one sweep without a label has none). ``width`` and ``height`` are of the figure, in inches (default: 3.1
    and 2.5 per panel); ``font_size`` is in points.

    Raises ``UserError`` if a sweep has more than one coordinate, if a table lacks a panel's statistic, or if a value on
    a log axis is not positive.
    """
    shape = (len(tables), len(panels))
    prompt_sets = list(dict.fromkeys(name for table in tables for name in table["prompts"]))
    colours = dict(zip(prompt_sets, sns.color_palette("colorblind", len(prompt_sets)), strict=True))
    style = (
        sns.axes_style("ticks")
        | sns.plotting_context("paper")
        | {f"{key}.labelsize": font_size for key in ("xtick", "ytick")}
    )
    style |= {"font.size": font_size, "axes.labelsize": font_size, "legend.fontsize": font_size}
    with mpl.rc_context(style):
        width, height = width or 3.1 * shape[1], height or 2.5 * shape[0] + 0.3
        figure = Figure(figsize=(width, height), layout="constrained")
        # A panel takes about 0.7 of its row, a character about 0.55 of the font size.
        wrap = max(8, int(height / shape[0] * 72 * 0.7 / (0.55 * font_size)))
        grid = figure.subplots(*shape, sharey="col", squeeze=False)
        for row, table in enumerate(tables):
            coordinate = _only_coordinate(table)
            sweep = str(table["sweep"].iloc[0])
            for column, panel in enumerate(panels):
                axes = grid[row, column]
                axes.set_yscale(panel.get("scale", "linear"))
                for index, prompts in enumerate(prompt_sets):
                    curve = _curve(table, panel, prompts, coordinate)
                    if curve is not None:
                        _draw(axes, curve, coordinate, colours[prompts], index, prompts)
                axes.set_xlabel((coordinate_labels or {}).get(coordinate, coordinate))
                axes.set_ylabel(textwrap.fill(panel["label"], wrap))
                sns.despine(ax=axes)
            if len(tables) > 1 or sweep in (sweep_labels or {}):
                # Above the names of the models, which _mark_models writes at the upper edge of the panels.
                label = (sweep_labels or {}).get(sweep, sweep)
                grid[row, 0].set_title(label, loc="left", pad=1.8 * font_size, fontsize=font_size, fontweight="bold")
        for column, panel in enumerate(panels):
            if panel.get("scale", "linear") == "log":
                _log_ticks(grid[0, column])
        if title:
            figure.suptitle(title, fontsize=font_size + 2)
        if len(prompt_sets) > 1:
            handles = {
                name: handle
                for axes in grid[:, 0]
                for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
            }
            figure.legend(
                [handles[name] for name in prompt_sets],
                prompt_sets,
                title="prompts",
                title_fontsize=font_size,
                loc="outside lower center",
                ncols=len(prompt_sets),
                frameon=False,
            )
        # Once the sizes of the panels are known: the names of two reference lines may not overlap.
        figure.draw_without_rendering()
        for row, table in enumerate(tables):
            for axes in grid[row]:
                _mark_models(axes, table, _only_coordinate(table), font_size - 1)
    return figure


def _only_coordinate(table: pd.DataFrame) -> str:
    coordinates = coordinate_columns(table)
    if len(coordinates) != 1:
        raise UserError(
            f"sweep {table['sweep'].iloc[0]}: curves need one coordinate, it has {coordinates}; "
            "remove it from the figure"
        )
    return coordinates[0]


def _curve(table: pd.DataFrame, panel: Mapping[str, Any], prompts: str, coordinate: str) -> pd.DataFrame | None:
    """The rows of one curve, ascending; None if the sweep does not have this prompt set."""
    rows = table[(table["scorer"] == panel["scorer"]) & (table["statistic"] == panel["statistic"])]
    if rows.empty:
        known = sorted({f"{s}.{t}" for s, t in zip(table["scorer"], table["statistic"], strict=True)})
        raise UserError(
            f"sweep {table['sweep'].iloc[0]} has no {panel['scorer']}.{panel['statistic']}; its statistics: {known}"
        )
    rows = rows[rows["prompts"] == prompts].sort_values(coordinate)
    if panel.get("scale", "linear") == "log" and (rows[["estimate", "low"]] <= 0).any(axis=None):
        raise UserError(f"{panel['scorer']}.{panel['statistic']} is not positive everywhere; use scale: linear")
    return None if rows.empty else rows


def _draw(axes: Axes, curve: pd.DataFrame, coordinate: str, colour: Any, index: int, label: str) -> None:
    axes.fill_between(curve[coordinate], curve["low"], curve["high"], color=colour, alpha=0.2, linewidth=0)
    axes.plot(
        curve[coordinate],
        curve["estimate"],
        color=colour,
        marker=_MARKERS[index % len(_MARKERS)],
        linestyle=_DASHES[index % len(_DASHES)],
        markersize=3.5,
        markeredgewidth=0,
        linewidth=1.3,
        label=label,
    )


def _mark_models(axes: Axes, table: pd.DataFrame, coordinate: str, font_size: float) -> None:
    """Dashed lines at coordinate 0 and 1, with the name of the model above where there is a single one."""
    low, high = axes.get_xlim()
    marked = [value for value in (0.0, 1.0) if low <= value <= high]
    names = {value: single_model(table, coordinate, value) for value in marked}
    texts = {}
    for value in marked:
        axes.axvline(value, color="0.45", linestyle="--", linewidth=0.8, zorder=0)
        if names[value]:
            texts[value] = axes.text(
                value, 1.015, str(names[value]), transform=axes.get_xaxis_transform(),
                fontsize=font_size, color="0.25", ha="center", va="bottom",
            )  # fmt: skip
    if len(texts) == 2:
        boxes = [texts[value].get_window_extent() for value in marked]
        if boxes[0].x1 + font_size / 2 > boxes[1].x0:
            texts[0.0].set_horizontalalignment("right")
            texts[1.0].set_horizontalalignment("left")


def _log_ticks(axes: Axes) -> None:
    """Labelled ticks on a log axis that spans a fraction of a decade as well as on one that spans six."""
    decades = float(np.diff(np.log10(axes.get_ylim()))[0])
    if decades < 0.5:
        axes.yaxis.set_major_locator(ticker.MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    else:
        multiples = (
            (1, 1.5, 2, 3, 5, 7) if decades < 1 else (1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)
        )
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=multiples))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    # 100,000 is easier to read than a power; 10,000,000 is not.
    powers = axes.get_ylim()[1] > 1e6
    axes.yaxis.set_major_formatter(
        ticker.LogFormatterMathtext() if powers else ticker.FuncFormatter(lambda value, _: f"{value:,.6g}")
    )


def save_figure(figure: Figure, png: str | os.PathLike[str], pdf: str | os.PathLike[str], dpi: int) -> None:
    """Save as PNG (``dpi`` dots per inch) and as PDF with TrueType fonts, atomically.

    The files carry no date and no version, so that equal figures give equal bytes.
    """
    with mpl.rc_context({"pdf.fonttype": 42}):
        with atomic_path(png) as scratch:
            figure.savefig(scratch, format="png", dpi=dpi, metadata={"Software": None})
        with atomic_path(pdf) as scratch:
            figure.savefig(scratch, format="pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None})

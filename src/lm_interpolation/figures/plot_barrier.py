"""Figure of barriers of perplexity and loss along lines between two models."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lm_interpolation.figures.naming import prompts_label
from lm_interpolation.figures.phrases import Value
from lm_interpolation.figures.series import series_styles
from lm_interpolation.figures.style import PAGE_WIDTH, figure_style, figure_title
from lm_interpolation.jobs.runtime import UserError

_QUANTITIES = {"perplexity": "Log perplexity", "loss": "Loss"}


@dataclass(frozen=True)
class _Line:
    """One line between two models: its curve above the chord, its barrier, and how both are drawn."""

    quantity: str
    label: str
    curve: pd.DataFrame
    barrier: pd.Series
    style: Mapping[str, Any]


def plot_barrier(
    table: pd.DataFrame,
    sweep_labels: Mapping[str, str] | None = None,
    coordinate_labels: Mapping[str, str] | None = None,
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Heights above the chord between two models, and the barriers, their maxima, in nats per token.

    ``table``: see ``barriers.barrier_table``. One panel each for perplexity and for loss, where the table has them:
    height over the coordinate, with 95 % bands. To the right of them, or below where a page is too narrow, the barrier
    of each of these lines is drawn with its interval and also written in numbers; its colours and markers are the key
    to the lines of the other panels. No two lines of the figure look alike. A barrier that is NaN was not measured
    because no point lies between 0 and 1. A panel is ``panel_width`` wide and ``panel_height`` high, or higher if the
    labels need it (inches); the last panel with its labels is at least 1.6 times as wide. ``font_size`` is in points.

    Raises ``UserError`` if the table has no rows, if a line has no heights or no barrier, or if there are more lines
    than can be told apart.
    """
    lines = _lines(table, sweep_labels or {})
    quantities = [name for name in _QUANTITIES if any(line.quantity == name for line in lines)]
    # Two or three lines of text for each.
    height = max(panel_height, (1 + sum(2.4 + line.label.count("\n") for line in lines)) * font_size / 72 + 0.8)
    with mpl.rc_context(figure_style(font_size)):
        # The barriers stand right of the curves, or below them where a page is too narrow.
        beside = panel_width * (len(quantities) + 1.6) <= PAGE_WIDTH
        if beside:
            size, places = (panel_width * (len(quantities) + 1.6), height), [[*quantities, "barriers"]]
        else:
            size = (panel_width * (len(quantities) + 0.6), panel_height + height)
            places = [quantities, ["barriers"] * len(quantities)]
        figure = Figure(figsize=size, layout="constrained")
        found: dict[str, Axes] = figure.subplot_mosaic(places, height_ratios=None if beside else [panel_height, height])
        panels, forest = [found[name] for name in quantities], found["barriers"]
        for axes, quantity in zip(panels, quantities, strict=True):
            axes.axhline(0, color="0.3", linewidth=0.8, zorder=1)
            for line in lines:
                if line.quantity == quantity:
                    _draw_curve(axes, line)
            axes.set_title(_QUANTITIES[quantity], loc="left", fontweight="bold")
            axes.set_xlabel(", ".join(dict.fromkeys((coordinate_labels or {}).values())) or "coordinate")
            axes.set_ylabel("height above the chord\n(nats per token)")
            sns.despine(ax=axes)
        _draw_barriers(forest, lines, font_size)
        if title:
            figure_title(figure, title, font_size + 2)
    return figure


def _lines(table: pd.DataFrame, sweep_labels: Mapping[str, str]) -> list[_Line]:
    if table.empty:
        raise UserError("the table of barriers has no rows; name sweeps or losses whose barriers are wanted")
    groups = list(table.groupby(["quantity", "sweep", "prompts", "class"], sort=False))
    lines: list[_Line] = []
    for (keys, rows), style in zip(groups, series_styles(len(groups)), strict=True):
        quantity, sweep, prompts, name = map(str, keys)
        curve, barrier = (rows[rows["row"] == row] for row in ("excess", "barrier"))
        if curve.empty or len(barrier) != 1:
            raise UserError(f"sweep {sweep}, {quantity} {prompts or name}: the table lacks its heights or its barrier")
        if quantity == "loss":
            what = f"loss, {name} texts" if name else "loss, all texts"
        else:
            what = f"perplexity, {prompts_label(prompts)}"
        label = f"{textwrap.fill(sweep_labels.get(sweep, sweep), 30)}\n{textwrap.fill(what, 30)}"
        lines.append(_Line(quantity, label, curve.sort_values("coordinate"), barrier.iloc[0], style))
    return lines


def _draw_curve(axes: Axes, line: _Line) -> None:
    curve, colour = line.curve, line.style["color"]
    axes.fill_between(curve["coordinate"], curve["low"], curve["high"], color=colour, alpha=0.15, linewidth=0)
    axes.plot(curve["coordinate"], curve["estimate"], label=line.label, **line.style)


def _draw_barriers(axes: Axes, lines: Sequence[_Line], font_size: float) -> None:
    """One row per line, the first on top: barrier and interval, drawn and in numbers."""
    axes.axvline(0, color="0.3", linewidth=0.8, zorder=1)
    for row, line in enumerate(lines):
        estimate, low, high = (float(line.barrier[key]) for key in ("estimate", "low", "high"))
        # The interval of a maximum need not contain the maximum, so it is not drawn as error bars around it.
        colour = line.style["color"]
        axes.plot([low, high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
        axes.plot(estimate, row, color=colour, marker=line.style["marker"], markersize=5.5, linestyle="")
        text = axes.text(
            1.03, row, _told(line.barrier), transform=axes.get_yaxis_transform(), va="center", fontsize=font_size - 1
        )
        if math.isnan(estimate):
            # A marker in the margin keeps the key to the curves.
            text.set_fontstyle("italic")
            key = {"color": colour, "marker": line.style["marker"], "markersize": 5.5, "clip_on": False}
            axes.plot(1.015, row, transform=axes.get_yaxis_transform(), linestyle="", fillstyle="none", **key)
    axes.set_yticks(range(len(lines)), [line.label for line in lines], fontsize=font_size - 1)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(4))
    axes.set_title("Barrier", loc="left", fontweight="bold")
    axes.set_xlabel("nats per token")
    axes.tick_params(axis="y", length=0)
    sns.despine(ax=axes, left=True)


def _told(barrier: pd.Series) -> str:
    """A barrier in numbers: value, interval and place."""
    value = Value.of(barrier)
    if math.isnan(value.estimate):
        return "not measured: no\npoint between 0 and 1"
    place = f"\nat {barrier['coordinate']:g}" if value.estimate > 0 else ""
    return f"{value}{'' if value.has_interval else ' (no interval)'}{place}"

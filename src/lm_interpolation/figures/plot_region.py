"""Figure of the points of regions: losses of models, of points of their convex hull, and of points outside."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lm_interpolation.analyses.region_tables import BASE, HULL, INSIDE, OUTSIDE
from lm_interpolation.figures.panels import panels_of
from lm_interpolation.figures.region_data import excess_over_base, pooled
from lm_interpolation.figures.series import series_styles
from lm_interpolation.figures.style import figure_style, figure_title, panel_grid
from lm_interpolation.jobs.runtime import UserError

_KINDS = {INSIDE: "In", HULL: "In′", OUTSIDE: "Ex"}


def plot_region(
    tables: Sequence[pd.DataFrame],
    comparisons: Sequence[pd.DataFrame],
    levels: Sequence[str],
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """A panel for each of ``levels``: the losses of In, In' and Ex, each minus that of the base on the same data set.

    ``tables`` and ``comparisons`` are those of ``region_tables``, level by level. A dot is a point on a data set; boxes
    show quartiles and median, whiskers reach to 5 and 95 %. Titles give PB with its interval. Infinite losses are left
    out, and counted below. ``panel_width`` and ``panel_height`` are in inches, ``font_size`` is in points.

    Raises ``UserError`` if the base has an infinite loss.
    """
    deep, wide = panel_grid(len(levels), panel_width)
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(panel_width * wide, 1.15 * panel_height * deep), layout="constrained")
        grid = panels_of(figure, len(levels), deep, wide)
        for axes, table, comparison, level in zip(grid, tables, comparisons, levels, strict=True):
            _draw(axes, table, font_size)
            told = [f"PB({_pair(pair)}) = {value}" for pair, value in pooled(comparison).items()]
            axes.set_title("\n".join([level, *told]), loc="left", fontsize=font_size - 1)
            axes.set_ylabel("Loss minus that of the base (nats)")
            sns.despine(ax=axes)
        if title:
            figure_title(figure, title, font_size + 2)
    return figure


def _pair(pair: str) -> str:
    return " < ".join(_KINDS[kind] for kind in pair.split("-"))


def _draw(axes: Axes, table: pd.DataFrame, font_size: float) -> None:
    rows = excess_over_base(table)
    if not np.isfinite(rows.loc[rows["kind"] == BASE, "loss"]).all():
        raise UserError("the base has an infinite loss; leave the figure out")
    axes.axhline(0, color="0.45", linestyle="--", linewidth=0.8, zorder=1)
    names = []
    for place, ((kind, name), style) in enumerate(zip(_KINDS.items(), series_styles(len(_KINDS)), strict=True)):
        values = rows.loc[rows["kind"] == kind, "excess"].to_numpy(np.float64)
        finite = values[np.isfinite(values)]
        lost = len(values) - len(finite)
        names.append(f"{name}\n(n = {len(values):,})" + (f"\n{lost:,} infinite" if lost else ""))
        # Sideways, so that dots do not hide each other; always in the same way.
        apart = np.random.default_rng(place).uniform(-0.28, 0.28, len(finite))
        look = {"color": style["color"], "marker": style["marker"], "linestyle": "", "markeredgewidth": 0}
        axes.plot(place + apart, finite, **look, markersize=2.5, alpha=0.45, zorder=2)
        if len(finite):
            axes.boxplot(
                finite,
                positions=[place],
                widths=0.62,
                whis=(5, 95),
                showfliers=False,
                manage_ticks=False,
                medianprops={"color": "black", "linewidth": 1.2},
                boxprops={"linewidth": 0.8},
                zorder=3,
            )
    axes.set_xticks(range(len(names)), names, fontsize=font_size - 1)
    axes.set_xlim(-0.6, len(names) - 0.4)

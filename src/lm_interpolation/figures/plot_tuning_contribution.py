"""Figure of tuning contributions: of texts, group by group, and of blocks."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lm_interpolation.figures.phrases import Value
from lm_interpolation.figures.series import series_styles
from lm_interpolation.figures.style import figure_style, figure_title


def plot_tuning_contribution(
    texts: pd.DataFrame,
    groups: pd.DataFrame,
    blocks: pd.DataFrame,
    against: str,
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """On the left the tuning contribution to each text, a row for each group; on the right that of each block.

    ``texts``, ``groups`` and ``blocks`` are the tables of ``contribution_tables``. A dot is a text; boxes show
    quartiles and median, whiskers reach to 5 and 95 %. Beside each group stands its AUC ``against`` the texts that it
    is told apart from. On the right are means over texts with their 95 % intervals, each of one block alone.
    ``panel_width`` and ``panel_height`` are in inches, ``font_size`` is in points.
    """
    styles = dict(zip(groups["group"], series_styles(len(groups)), strict=True))
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(2 * panel_width, max(1.15 * panel_height, 0.45 * len(groups))), layout="constrained")
        left, right = figure.subplots(1, 2)
        names = []
        for place, row in enumerate(groups.to_dict("records")):
            values = texts.loc[texts["group"] == row["group"], "tuco"].to_numpy(np.float64)
            _row(left, place, values, styles[row["group"]])
            told = "" if row["group"] == against else f"\nAUC {Value(row['auc'], row['auc_low'], row['auc_high'])}"
            names.append(f"{row['group']} (n = {len(values):,}){told}")
        left.set_yticks(range(len(names)), names, fontsize=font_size - 1)
        # From above.
        left.set_ylim(len(names) - 0.4, -0.6)
        left.set_xlim(left=0)
        left.set_xlabel("Tuning contribution (TuCo), last token")
        left.set_title(f"text by text; AUC against {against}", loc="left", fontsize=font_size)
        for group, part in blocks.groupby("group", sort=False):
            style = styles[group]
            right.plot(part["layer"], part["estimate"], label=group, **style)
            right.fill_between(part["layer"], part["low"], part["high"], color=style["color"], alpha=0.2, linewidth=0)
        right.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        right.set_xlabel("number of the block")
        right.set_ylabel("TuCo of the block alone, mean")
        right.set_title("block by block", loc="left", fontsize=font_size)
        right.set_ylim(bottom=0)
        right.legend(frameon=False, fontsize=font_size - 1)
        for axes in (left, right):
            sns.despine(ax=axes)
        if title:
            figure_title(figure, title, font_size + 2)
    return figure


def _row(axes: Axes, place: int, values: np.ndarray, style: dict[str, Any]) -> None:
    # Apart, so that dots do not hide each other; always in the same way.
    beside = np.random.default_rng(place).uniform(-0.28, 0.28, len(values))
    look = {"color": style["color"], "marker": style["marker"], "linestyle": "", "markeredgewidth": 0}
    axes.plot(values, place + beside, **look, markersize=2.5, alpha=0.45, zorder=2)
    axes.boxplot(
        values,
        positions=[place],
        widths=0.62,
        whis=(5, 95),
        showfliers=False,
        manage_ticks=False,
        orientation="horizontal",
        medianprops={"color": "black", "linewidth": 1.2},
        boxprops={"linewidth": 0.8},
        zorder=3,
    )

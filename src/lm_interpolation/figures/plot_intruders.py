"""Figure of intruder dimensions: how many there are per matrix, by the threshold and by the block."""

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib import ticker
from matplotlib.figure import Figure

from lm_interpolation.figures.series import series_styles
from lm_interpolation.figures.style import figure_style, figure_title


def plot_intruders(
    matrices: pd.DataFrame,
    thresholds: pd.DataFrame,
    k: int,
    epsilon: float,
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Mean number of intruders per matrix, a curve for each model, in two panels.

    ``matrices`` and ``thresholds``: see ``intruders.intruder_tables``. Left: over the cosine below which a vector is an
    intruder, with 95 % bands over matrices; a dashed line is at ``epsilon``. Right: at ``epsilon``, over the number of
    the block. At most ``k`` are possible. ``panel_width`` and ``panel_height`` are in inches, ``font_size`` in points.

    Raises ``UserError`` for more models than can be told apart.
    """
    models = list(dict.fromkeys(thresholds["model"]))
    styles = dict(zip(models, series_styles(len(models)), strict=True))
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(2 * panel_width, panel_height), layout="constrained")
        by_threshold, by_block = figure.subplots(1, 2)
        for model, style in styles.items():
            rows = thresholds[thresholds["model"] == model].sort_values("epsilon")
            by_threshold.plot(rows["epsilon"], rows["intruders"], label=model, **style)
            band = rows.dropna(subset=["low", "high"])
            by_threshold.fill_between(
                band["epsilon"], band["low"], band["high"], color=style["color"], alpha=0.18, linewidth=0
            )
            blocks = matrices[matrices["model"] == model].groupby("layer")["intruders"].mean()
            by_block.plot(blocks.index, blocks, label=model, **style)
        by_threshold.axvline(epsilon, color="0.45", linestyle="--", linewidth=0.8, zorder=1)
        by_threshold.set_xlabel(f"ε (dashed: {epsilon:g})")
        by_block.set_xlabel(f"block (ε = {epsilon:g})")
        by_block.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        for axes in (by_threshold, by_block):
            axes.set_ylabel(f"intruders per matrix, of {k}")
            axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
            if axes.dataLim.y1 == 0:
                # There are no fewer than none.
                axes.set_ylim(-0.05, 1)
            sns.despine(ax=axes)
        handles, labels = by_threshold.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(models), 4), frameon=False)
        if title:
            figure_title(figure, title, font_size + 2)
    return figure

"""Reliability diagrams: accuracy against confidence of judges in their exams."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lm_interpolation.figures.series import series_styles
from lm_interpolation.figures.style import figure_style, figure_title, panel_grid

READERS = {"judge": "judge", "tfidf": "TF-IDF regression"}
"""Who reads the texts of an exam, as in the column ``reader``, and how it is called in the legend."""


def plot_calibration(
    bins: Sequence[pd.DataFrame],
    models: Sequence[str],
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """A panel per judge: accuracy over mean confidence, bin by bin, and below it the texts of each bin.

    ``bins`` are tables as ``exam.calibration_table`` makes them, in the order of ``models``, the names of the judges. A
    calibrated judge lies on the dashed diagonal. Panels are ``panel_width`` by 1.3 ``panel_height`` inches;
    ``font_size`` is in points.
    """
    rows, columns = panel_grid(len(models), panel_width)
    styles = dict(zip(READERS, series_styles(len(READERS)), strict=True))
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(columns * panel_width, rows * 1.3 * panel_height), layout="constrained")
        grid = figure.subplots(2 * rows, columns, height_ratios=[3, 1] * rows, squeeze=False)
        for index in range(rows * columns):
            row, column = divmod(index, columns)
            axes, counts = grid[2 * row, column], grid[2 * row + 1, column]
            if index >= len(models):
                axes.remove()
                counts.remove()
                continue
            _panel(axes, counts, bins[index], styles)
            axes.set_title(models[index])
            if column == 0:
                axes.set_ylabel("accuracy")
                counts.set_ylabel("texts")
        grid[0, 0].legend(loc="lower right", frameon=False)
        if title:
            figure_title(figure, title, font_size + 2)
    return figure


def _panel(axes: Axes, counts: Axes, table: pd.DataFrame, styles: dict[str, dict[str, Any]]) -> None:
    """One judge: its diagram, and the numbers of texts."""
    low = float(table["low"].min())
    axes.plot([low, 1], [low, 1], color="0.6", linestyle="--", linewidth=0.9)
    for reader, part in table.groupby("reader", sort=False):
        style = styles[str(reader)]
        axes.plot(part["confidence"], part["accuracy"], label=READERS[str(reader)], **style)
        # Outlines, which show both where they overlap; a bin that is not there has no texts.
        edges = np.unique(np.concatenate([part["low"], part["high"]]))
        texts = [part.loc[np.isclose(part["low"], edge), "texts"].sum() for edge in edges[:-1]]
        counts.stairs(texts, edges, color=style["color"], linestyle=style["linestyle"], linewidth=style["linewidth"])
    for axis in (axes, counts):
        axis.set_xlim(low - 0.02, 1.02)
        sns.despine(ax=axis)
    axes.set_ylim(-0.03, 1.03)
    axes.tick_params(labelbottom=False)
    counts.set_ylim(bottom=0)
    counts.set_xlabel("confidence")

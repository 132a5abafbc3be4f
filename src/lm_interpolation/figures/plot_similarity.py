"""Figure of the cosines of all pairs of models, grouped by their labels."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lm_interpolation.figures.regions_data import labels_outside_in
from lm_interpolation.figures.style import figure_style, figure_title

_MAP = "RdBu_r"


def plot_similarity(
    pairs: pd.DataFrame,
    places: pd.DataFrame,
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Heat map of the cosines of displacements: rows and columns are models, ordered by their labels.

    ``pairs`` and ``places``: see ``regions.region_tables``. The label with the fewest values groups first, with the
    strongest borders, then the others. Colours reach equally far on both sides of 0; the diagonal, each model with
    itself, is grey. The figure is 1.7 ``panel_width`` by 1.9 ``panel_height`` inches; ``font_size`` is in points.
    """
    labels = labels_outside_in(places)
    wide = places.pivot(index="model", columns="label", values="value")
    # In the order of the table: values by their first models, and models of one group.
    wide = wide.loc[list(dict.fromkeys(places["model"]))]
    known = {label: list(dict.fromkeys(rows["value"])) for label, rows in places.groupby("label")}
    ranks = wide.apply(lambda column: column.map(known[column.name].index))
    models = list(ranks.sort_values(labels, kind="stable").index)
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(1.7 * panel_width, 1.9 * panel_height), layout="constrained")
        axes = figure.subplots()
        values = _matrix(pairs, models)
        most = float(np.nanmax(np.abs(values))) or 1.0
        colours = mpl.colormaps[_MAP].with_extremes(bad="0.6")
        image = axes.imshow(np.ma.masked_invalid(values), cmap=colours, vmin=-most, vmax=most)
        for depth in range(len(labels)):
            groups = wide.loc[models, labels[: depth + 1]].to_numpy().tolist()
            _borders(axes, groups, linewidth=max(1.6 - depth, 0.5))
        _names(axes, wide.loc[models, labels[-1]].tolist(), font_size)
        if len(labels) > 1:
            _outer_names(axes, wide.loc[models, labels[0]].tolist(), font_size)
        axes.set_xlabel(f"models, by {', then '.join(labels)}")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_linewidth(0.6)
        bar = figure.colorbar(image, ax=axes, pad=0.02, shrink=0.8)
        bar.set_label("cosine of displacements")
        bar.outline.set_linewidth(0.6)
        if title:
            figure_title(figure, title, font_size + 2)
    return figure


def _matrix(pairs: pd.DataFrame, models: Sequence[str]) -> np.ndarray:
    """Cosines (n, n) in the order of ``models``; NaN on the diagonal."""
    place = {model: index for index, model in enumerate(models)}
    rows, columns = pairs["model"].map(place).to_numpy(), pairs["other"].map(place).to_numpy()
    found = np.full((len(models), len(models)), np.nan)
    found[rows, columns] = found[columns, rows] = pairs["cosine"].to_numpy(dtype=np.float64)
    return found


def _runs(values: Sequence[Any]) -> list[tuple[Any, int, int]]:
    """(value, begin, end) of runs of equal values; ``end`` is the place after the last."""
    starts = [index for index in range(len(values)) if index == 0 or values[index] != values[index - 1]]
    return [(values[begin], begin, end) for begin, end in zip(starts, [*starts[1:], len(values)], strict=True)]


def _borders(axes: Axes, groups: Sequence[Any], linewidth: float) -> None:
    for _, begin, _ in _runs(groups)[1:]:
        axes.axhline(begin - 0.5, color="0.1", linewidth=linewidth)
        axes.axvline(begin - 0.5, color="0.1", linewidth=linewidth)


def _names(axes: Axes, values: Sequence[str], font_size: float) -> None:
    """The values of the innermost label beside and below their groups."""
    runs = _runs(values)
    middles = [(begin + end - 1) / 2 for _, begin, end in runs]
    # A square of about 4.4 inches holds some 45 lines of seven points.
    size = min(font_size - 1, 4.4 * 72 / len(runs) / 1.2)
    names = [value for value, _, _ in runs]
    axes.set_yticks(middles, names, fontsize=size)
    axes.set_xticks(middles, names, fontsize=size, rotation=90)


def _outer_names(axes: Axes, values: Sequence[str], font_size: float) -> None:
    """The values of the outermost label above their groups."""
    runs = _runs(values)
    above = axes.secondary_xaxis("top")
    above.set_xticks([(begin + end - 1) / 2 for _, begin, end in runs], [value for value, _, _ in runs])
    above.tick_params(length=0, labelsize=font_size)
    above.spines["top"].set_visible(False)

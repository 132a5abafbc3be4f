"""Figure of how linear a model is around theta0 (section 5, Eq. 5 of arXiv 2211.12092)."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke

from lm_interpolation.figures.colours import PLAIN
from lm_interpolation.figures.naming import model_label, scaled_label
from lm_interpolation.figures.plot_labels import LabelRoom
from lm_interpolation.figures.style import cell_edges, figure_style, figure_title
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point

_COLOURS: dict[str, Any] = {"cmap": mpl.colormaps[PLAIN].with_extremes(bad="0.8"), "norm": LogNorm(0.01, 1)}
_QUANTITIES = {"logits": "Logits", "margin": "Margin"}


def plot_linearity(
    table: pd.DataFrame,
    summary: pd.DataFrame,
    coordinate_labels: Mapping[str, str] | None = None,
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """A model against its first-order expansion: relative error over the plane, and predicted against actual margin.

    ``table`` and ``summary``: see ``linearity.linearity``. Left and middle: relative error of the logits and of the
    margin on one log colour scale from 1 % to 100 % (values beyond take the colour of the end), grey where it is
    undefined. A white line encloses the cells of the grid within the tolerance, points off the grid are discs, and
    single models are named. Right: actual margin over predicted margin in the same colours, with the diagonal. Titles
    give the share of points within the tolerance, how far it reaches, R2, and C1 and C2 of the margin. The figure is 3
    ``panel_width`` by 1.2 ``panel_height`` inches; ``font_size`` is in points.

    Raises ``UserError`` if the table does not have two coordinates, the points form no grid, or a quantity is missing.
    """
    coordinates = _coordinates(table)
    labels = [(coordinate_labels or {}).get(name, name) for name in coordinates]
    parts, facts = {}, {}
    for quantity in _QUANTITIES:
        parts[quantity] = table[table["quantity"] == quantity]
        rows = summary[summary["quantity"] == quantity]
        if parts[quantity].empty or len(rows) != 1:
            raise UserError(f"linearity of sweep {table['sweep'].iloc[0]}: has no {quantity}; run the analysis again")
        facts[quantity] = rows.iloc[0]
    with mpl.rc_context(figure_style(font_size)):
        # Padded, so that the label of the bar keeps off that of the next panel.
        figure = Figure(figsize=(3 * panel_width, 1.2 * panel_height), layout=ConstrainedLayoutEngine(w_pad=0.1))
        *maps, scatter = figure.subplots(1, 3)
        for axes, (quantity, name) in zip(maps, _QUANTITIES.items(), strict=True):
            fact = facts[quantity]
            mesh = _draw_map(axes, parts[quantity], coordinates, float(fact["tolerance"]))
            axes.set_xlabel(labels[0])
            axes.set_ylabel(labels[1])
            axes.set_title(
                f"{name}: {_r2(fact, labels)}\n"
                f"error ≤ {100 * fact['tolerance']:.3g} % at {100 * fact['share_within']:.3g} % of points,\n"
                f"at all with |{labels[0]}|, |{labels[1]}| ≤ {fact['reach']:.3g}",
                loc="left",
                fontsize=font_size - 1,
            )
        bar = figure.colorbar(
            mesh, ax=maps, extend="both", label=scaled_label("error / change", "log"), pad=0.02, aspect=25
        )
        bar.set_ticks([0.01, 0.03, 0.1, 0.3, 1], labels=["1 %", "3 %", "10 %", "30 %", "100 %"])
        bar.ax.yaxis.set_minor_locator(ticker.NullLocator())
        _draw_scatter(scatter, parts["margin"])
        slopes = ", ".join(f"C{'₁₂'[index]} = {_number(facts['margin'][f'c{index + 1}'])}" for index in range(2))
        scatter.set_title(f"Margin: {_r2(facts['margin'], labels)}\n{slopes}", loc="left", fontsize=font_size - 1)
        sns.despine(ax=scatter)
        if title:
            figure_title(figure, title, font_size + 2)
        # Labels are placed once the sizes of the panels are known.
        figure.draw_without_rendering()
        for axes, part in zip(maps, parts.values(), strict=True):
            _name_models(axes, part, coordinates, font_size - 1)
    return figure


def _coordinates(table: pd.DataFrame) -> tuple[str, str]:
    columns = list(table.columns)
    names = columns[columns.index("sweep") + 1 : columns.index("point")]
    if len(names) != 2:
        raise UserError(f"linearity is drawn over a plane, with two coordinates; this table has {names}")
    return names[0], names[1]


def _number(value: float) -> str:
    """Three digits and a minus sign; a dash for a missing value."""
    return "–" if np.isnan(value) else f"{value:.3g}".replace("-", "−")


def _r2(fact: pd.Series, labels: Sequence[str]) -> str:
    unit = f"if |{labels[0]}|, |{labels[1]}| ≤ 1: {_number(fact['r2_unit'])}"
    return f"R² = {_number(fact['r2'])} ({unit})"


def _draw_map(axes: Axes, part: pd.DataFrame, coordinates: tuple[str, str], tolerance: float) -> Any:
    """Draw cells, a line around those within the tolerance, and points off the grid; returns the colour bar's input."""
    grid, others = _grid(part, coordinates)
    x_edges, y_edges = cell_edges(grid.columns.to_numpy()), cell_edges(grid.index.to_numpy())
    mesh = axes.pcolormesh(
        x_edges, y_edges, _positive(grid.to_numpy()), **_COLOURS,
        # Edges in the colour of their cell: without them PDF viewers show gaps between cells.
        edgecolors="face", linewidth=0.2,
    )  # fmt: skip
    _enclose(axes, x_edges, y_edges, grid.to_numpy() <= tolerance)
    axes.scatter(
        others[coordinates[0]], others[coordinates[1]], c=_positive(others["relative_error"].to_numpy()), **_COLOURS,
        plotnonfinite=True, s=26, edgecolors="white", linewidths=0.8, zorder=3,
    )  # fmt: skip
    for axis, set_limits, edges, name in (
        (axes.xaxis, axes.set_xlim, x_edges, coordinates[0]),
        (axes.yaxis, axes.set_ylim, y_edges, coordinates[1]),
    ):
        axis.set_major_locator(ticker.MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        # Points beyond the grid stay entirely visible.
        margin = (edges[-1] - edges[0]) / 20
        set_limits(min([edges[0], *(others[name] - margin)]), max([edges[-1], *(others[name] + margin)]))
    axes.set_aspect("equal")
    return mesh


def _positive(errors: np.ndarray) -> np.ndarray:
    """``errors`` as colours on a log scale take them: the error at theta0 is exactly 0. NaN stays."""
    return np.maximum(errors, 1e-12)


def _grid(part: pd.DataFrame, coordinates: tuple[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Relative errors on the grid (columns: first coordinate, rows: second one), and the rows of points off it.

    A grid is complete, so a coordinate's value is on it if it has more than half as many points as the most common
    value.
    """
    on_grid = pd.Series(True, index=part.index)
    for name in coordinates:
        counts = part[name].map(part[name].value_counts())
        on_grid &= counts > counts.max() / 2
    grid = part[on_grid].pivot(index=coordinates[1], columns=coordinates[0], values="relative_error")
    if min(grid.shape) < 2:
        raise UserError(
            f"the points make no grid over {list(coordinates)}: at least two values of each are needed; "
            "draw a sweep of two coordinates"
        )
    return grid.sort_index().sort_index(axis=1), part[~on_grid]


def _enclose(axes: Axes, x_edges: np.ndarray, y_edges: np.ndarray, within: np.ndarray) -> None:
    """An exact line around the cells where ``within`` (rows: y) holds; a contour would interpolate."""
    padded = np.pad(within, 1)
    lines = [
        [(x_edges[column], y_edges[row]), (x_edges[column], y_edges[row + 1])]
        for row, column in np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])
    ]
    lines += [
        [(x_edges[column], y_edges[row]), (x_edges[column + 1], y_edges[row])]
        for row, column in np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])
    ]
    # All black lies below all white: if each piece had its own outline, it would cross its neighbours.
    for colour, width in (("black", 2.6), ("white", 1.4)):
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, capstyle="projecting", zorder=2))


def _name_models(axes: Axes, part: pd.DataFrame, coordinates: tuple[str, str], font_size: float) -> None:
    """Ring and name where the point is a single model."""
    models = [Point.parse(point).single for point in part["point"]]
    at = part.loc[[name is not None for name in models], list(coordinates)].to_numpy(dtype=np.float64)
    axes.plot(
        *at.T, linestyle="", marker="o", markersize=5, markerfacecolor="none", markeredgecolor="white", zorder=4,
        path_effects=[withStroke(linewidth=2.4, foreground="black")],
    )  # fmt: skip
    room = LabelRoom(axes)
    room.take_markers(at, 4)
    outline = [withStroke(linewidth=1.8, foreground="black")]
    for name, (x, y) in zip(filter(None, models), at, strict=True):
        style = {"color": "white", "path_effects": outline, "zorder": 5}
        room.place_at(model_label(name), (float(x), float(y)), 6, font_size, must=True, **style)


def _draw_scatter(axes: Axes, part: pd.DataFrame) -> None:
    axes.scatter(
        part["prediction"], part["value"], c=_positive(part["relative_error"].to_numpy()), **_COLOURS,
        plotnonfinite=True, s=18, edgecolors="0.2", linewidths=0.3, zorder=3,
    )  # fmt: skip
    axes.axline((0, 0), slope=1, color="0.45", linestyle="--", linewidth=0.8, zorder=1)
    axes.set_xlabel("margin of the first-order expansion")
    axes.set_ylabel("actual margin")

"""Figures of methods: the score that each reaches against what it costs, one curve per method."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from lm_interpolation.figures.methods_data import methods_curves, single
from lm_interpolation.figures.naming import coordinate_text, model_label, scaled_label
from lm_interpolation.figures.panels import panels_of
from lm_interpolation.figures.plot_labels import LabelRoom
from lm_interpolation.figures.series import DASHES, check_count, series_styles
from lm_interpolation.figures.style import figure_style, figure_title, panel_grid
from lm_interpolation.jobs.runtime import UserError

_HALO = [withStroke(linewidth=1.5, foreground="white")]
_SHARED = "shared"
"""The ``gid`` of the rings around models."""


def plot_methods(
    tables: Sequence[pd.DataFrame],
    sweeps: Sequence[Mapping[str, Any]],
    prompts: str,
    score: Mapping[str, Any],
    across: Sequence[Mapping[str, Any]],
    coordinate_labels: Mapping[str, str] | None = None,
    title: str | None = None,
    columns: int | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """A score against other statistics, a panel for each of ``across``, with one curve per sweep.

    For tables, sweeps, score and axes see ``methods_data.methods_curves``; a score and an axis have a ``label`` too,
    and an axis a ``scale``, ``linear`` or ``log``. A sweep has its own colour and marker. Curves of one sweep, which
    differ in further coordinates, have different dashes. Thin lines are 95 % intervals in both directions. A ring marks
    a point that is a single model, with its name: many curves share it. Both ends of a curve show its coordinate where
    there is room. The legend stands beside the panels.

    ``columns`` is the number of panels side by side; ``panel_width`` and ``panel_height`` are in inches, without the
    legend; ``font_size`` is in points.

    Raises ``UserError`` as ``methods_curves`` does, if a sweep has more curves than there are dashes, or if there are
    more sweeps than can be told apart.
    """
    panels = [methods_curves(tables, sweeps, prompts, score, axis, coordinate_labels or {}) for axis in across]
    styles = _styles(panels[0], [sweep["name"] for sweep in sweeps])
    with mpl.rc_context(figure_style(font_size)):
        deep, wide = panel_grid(len(across), panel_width, columns)
        # A character is about 0.55 of the font size wide; the line and its margins take about six.
        longest = max(len(curve["label"]) for curve in panels[0])
        legend = (longest + 7) * 0.55 * font_size / 72
        figure = Figure(figsize=(panel_width * wide + legend, panel_height * deep), layout="constrained")
        grid = panels_of(figure, len(across), deep, wide, sharey=True)
        for index, (axes, axis, curves) in enumerate(zip(grid, across, panels, strict=True)):
            axes.set_xscale(axis["scale"])
            for curve, style in zip(curves, styles, strict=True):
                _draw(axes, curve["points"], style)
            _ring(axes, curves)
            axes.set_xlabel(scaled_label(axis["label"], axis["scale"]))
            if index % wide == 0:
                axes.set_ylabel(score["label"])
            if axis["scale"] == "log":
                _log_ticks(axes)
            sns.despine(ax=axes)
        handles = [Line2D([], [], **style) for style in styles]
        labels = [curve["label"] for curve in panels[0]]
        figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=font_size - 0.5)
        if title:
            figure_title(figure, title, font_size + 2)
        # Labels are placed once the sizes of the panels are known.
        figure.draw_without_rendering()
        for axes, curves in zip(grid, panels, strict=True):
            _label(axes, curves, styles, font_size - 1.5)
    return figure


def _styles(curves: Sequence[Mapping[str, Any]], sweeps: Sequence[str]) -> list[dict[str, Any]]:
    """Colour and marker by sweep, dashes by the other coordinates."""
    check_count(len(curves))
    by_sweep = dict(zip(sweeps, series_styles(len(sweeps)), strict=True))
    for curve in curves:
        if curve["rank"] >= len(DASHES):
            raise UserError(
                f"sweep {curve['sweep']} has more than {len(DASHES)} curves, which cannot be told apart; choose some "
                "of its values with the key values"
            )
    return [{**by_sweep[curve["sweep"]], "linestyle": DASHES[curve["rank"]]} for curve in curves]


def _draw(axes: Axes, points: pd.DataFrame, style: Mapping[str, Any]) -> None:
    thin: dict[str, Any] = {"color": style["color"], "alpha": 0.35, "linewidth": 0.7}
    # Not axes.errorbar: a bootstrap interval need not contain the estimate.
    axes.hlines(points["y"], points["x_low"], points["x_high"], **thin)
    axes.vlines(points["x"], points["y_low"], points["y_high"], **thin)
    axes.plot(points["x"], points["y"], **style)


def _models(curves: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Model to its place (x, y), for the points of the curves that are single models."""
    found: dict[str, tuple[float, float]] = {}
    for curve in curves:
        for row in curve["points"].itertuples():
            model = single(row.point)
            if model is not None and np.isfinite([row.x, row.y]).all():
                found.setdefault(model, (float(row.x), float(row.y)))
    return found


def _ring(axes: Axes, curves: Sequence[Mapping[str, Any]]) -> None:
    at = np.array(list(_models(curves).values())).reshape(-1, 2)
    axes.plot(
        *at.T, linestyle="none", marker="o", markersize=8, markerfacecolor="none", markeredgecolor="0.1",
        markeredgewidth=1.1, zorder=4, gid=_SHARED,
    )  # fmt: skip


def _label(
    axes: Axes, curves: Sequence[Mapping[str, Any]], styles: Sequence[Mapping[str, Any]], font_size: float
) -> None:
    """The names of models, then the coordinate at the ends of curves, wherever there is room."""
    room = LabelRoom(axes)
    models = _models(curves)
    paths = [curve["points"][["x", "y"]].to_numpy(dtype=np.float64) for curve in curves]
    for path in paths:
        known = path[np.isfinite(path).all(axis=1)]
        room.take_path(known)
        room.take_markers(known, 2.5)
    room.take_markers(list(models.values()), 5)
    for model, at in models.items():
        room.place_at(model_label(model), at, 7, font_size + 0.5, must=True, color="0.1", path_effects=_HALO)
    for end in (-1, 0):
        for curve, path, style in zip(curves, paths, styles, strict=True):
            row = curve["points"].iloc[end]
            if np.isfinite(path[end]).all() and single(row["point"]) is None:
                text, (x, y) = coordinate_text(curve["coordinate"], row["at"]), path[end]
                look: dict[str, Any] = {"color": style["color"], "path_effects": _HALO}
                name = f"{curve['label']}: {text}"
                # The name too, if there is room for so much.
                if end != -1 or room.place_at(name, (float(x), float(y)), 4, font_size, **look) is None:
                    room.place_at(text, (float(x), float(y)), 4, font_size, **look)


def _log_ticks(axes: Axes) -> None:
    """Labelled ticks on a horizontal log axis, whatever its range; never so many that they touch."""
    low, high = axes.get_xlim()
    decades = float(np.log10(high / low))
    if decades < 0.5:
        axes.xaxis.set_major_locator(ticker.MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
        axes.xaxis.set_minor_locator(ticker.NullLocator())
    else:
        subs = (1, 2, 5) if decades < 1.5 else (1, 3) if decades < 2.5 else (1,)
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=subs))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.6g}"))

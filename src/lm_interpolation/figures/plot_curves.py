"""Figures of curves along sweeps (Figs. 3, 5, 6 and 10 of arXiv 2211.12092)."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from lm_interpolation.figures.mean_curves import Trainings, band_labels, mean_rows, together
from lm_interpolation.figures.naming import coordinate_text, prompts_label, scaled_label
from lm_interpolation.figures.phrases import describe_range
from lm_interpolation.figures.plot_labels import LabelRoom, mark_coordinates
from lm_interpolation.figures.series import series_styles
from lm_interpolation.figures.style import figure_style, figure_title, log_ticks, panel_grid
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.tables.tables import coordinate_columns

_ONE: Mapping[str, Any] = {"alpha": 0.6, "linewidth": 0.6}
"""The line of one training."""

_COSTS = {"seconds_per_1000_tokens": "Seconds per 1,000 tokens", "peak_memory_mb": "Peak memory of the process (MiB)"}


@dataclass(frozen=True)
class _Series:
    """What one curve of a panel shows and how it looks. It has a table for each training."""

    sweep: str
    tables: Sequence[pd.DataFrame]
    prompts: str
    label: str
    index: int
    style: Mapping[str, Any]

    @property
    def coordinate(self) -> str:
        coordinates = coordinate_columns(self.tables[0])
        if len(coordinates) != 1:
            raise UserError(
                f"sweep {self.sweep}: curves need one coordinate, it has {coordinates}; remove it from the figure"
            )
        return coordinates[0]


def plot_curves(
    tables: Sequence[pd.DataFrame],
    panels: Sequence[Mapping[str, Any]],
    coordinate_labels: Mapping[str, str] | None = None,
    sweep_labels: Mapping[str, str] | None = None,
    title: str | None = None,
    overlay: bool = False,
    columns: int | None = None,
    cost: pd.DataFrame | None = None,
    trainings: Trainings | None = None,
    panel_width: float = 3.1,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Curves of several statistics along sweeps of one coordinate; each sweep has a row of panels.

    ``tables`` are sweep tables (``tables.sweep_table``), one per sweep. A panel is ``{scorer, statistic, label, scale,
    x}`` with scale ``linear`` (default) or ``log``; a panel has one y axis for all sweeps. Long labels are wrapped.
    Bands are the tables' 95 % intervals. Dashed lines mark coordinate 0 and 1 where there is a point, with the name of
    the model if the point is a single model. A panel with ``x``, a ``{scorer, statistic, label}``, is a trade-off: it
    is drawn against that statistic. Its points are joined in the order of the coordinate, some are labelled with the
    coordinate, and thin 95 % intervals extend in both directions. ``coordinate_labels`` and ``sweep_labels`` replace
    the names of coordinates and of sweeps. (Names of sweeps stand above the panels; a single sweep without a label has
    none.)

    ``overlay`` draws all sweeps into the same panels, on the one prompt set that they have in common, with a legend
    of the sweeps; models are named where all sweeps agree. ``columns`` is the number of panels side by side; by default
    as many as fit on a page. ``cost`` (columns ``space, seconds_per_1000_tokens, peak_memory_mb``, one row per
    measurement) adds two panels of bars to an overlay: the mean per space, a dot per measurement, and their range.
    ``trainings`` are the sweeps of families, each with those of ``tables`` that are its trainings. Such a sweep is one
    curve: their mean, with two bands, over prompts and over trainings (see ``mean_curves.mean_rows``), and a thin line
    for each training. A trade-off has two intervals in each direction, that over trainings dotted. The legend names
    the bands.
    ``panel_width`` and ``panel_height`` are in inches, ``font_size`` is in points.

    Raises ``UserError`` if a sweep has more than one coordinate, if a table lacks a panel's statistic, if a value on a
    log axis is not positive, if sweeps to overlay do not have exactly one prompt set in common, if there are more
    curves than can be told apart, if a cost is missing, or if ``cost`` is given without ``overlay``.
    """
    coordinate_labels, sweep_labels = coordinate_labels or {}, sweep_labels or {}
    lines = together(tables, trainings or {})
    rows = _overlay_row(lines, sweep_labels) if overlay else _rows_of_prompts(lines)
    if cost is not None and not overlay:
        raise UserError("cost compares sweeps in the same panels; set overlay: true or remove cost")
    count = len(panels) + (0 if cost is None else len(_COSTS))
    deep, wide = panel_grid(count, panel_width, columns)
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(panel_width * wide, panel_height * deep * len(rows)), layout="constrained")
        # A panel takes about 0.7 of its row, a character about 0.55 of the font size.
        wrap = max(8, int(panel_height * 72 * 0.7 / (0.55 * font_size)))
        grid = figure.subplots(deep * len(rows), wide, squeeze=False)
        cells = [list(grid[index * deep : (index + 1) * deep].ravel()) for index in range(len(rows))]
        for unused in (axes for block in cells for axes in block[count:]):
            unused.remove()
        handles: dict[int, Line2D] = {}
        for row, (axes_row, series_row) in enumerate(zip(cells, rows, strict=True)):
            names = dict.fromkeys(coordinate_labels.get(one.coordinate, one.coordinate) for one in series_row)
            for index, (axes, panel) in enumerate(zip(axes_row, panels, strict=False)):
                if row:
                    axes.sharey(cells[0][index])
                scale = panel.get("scale", "linear")
                axes.set_yscale(scale)
                for one in series_row:
                    drawn = _draw(axes, panel, one)
                    if drawn is not None:
                        handles.setdefault(one.index, drawn)
                axes.set_xlabel(panel["x"]["label"] if panel.get("x") else ", ".join(names))
                axes.set_ylabel(scaled_label(panel["label"], scale, wrap))
                sns.despine(ax=axes)
            sweep = series_row[0].sweep
            if not overlay and (len(rows) > 1 or sweep in sweep_labels):
                # Leaves room for the names of the models at the upper edge of the panels.
                label = sweep_labels.get(sweep, sweep)
                cells[row][0].set_title(label, loc="left", pad=1.8 * font_size, fontsize=font_size, fontweight="bold")
        if cost is not None:
            for axes, (column, label) in zip(cells[0][len(panels) :], _COSTS.items(), strict=False):
                _draw_cost(axes, cost, column, font_size - 1)
                axes.set_ylabel(textwrap.fill(label, wrap))
                sns.despine(ax=axes)
        for axes, panel in zip(cells[0], panels, strict=False):
            if panel.get("scale", "linear") == "log":
                log_ticks(axes)
        if title:
            figure_title(figure, title, font_size + 2)
        bands = _band_handles([len(found) for _, found in lines if len(found) > 1])
        if len(handles) > 1 or bands:
            labels = {one.index: one.label for series_row in rows for one in series_row}
            named: dict[str, Artist] = {labels[index]: handles[index] for index in sorted(handles)} | bands
            _legend(figure, list(named.values()), list(named))
        # Once the sizes of the panels are known: labels may not overlap.
        figure.draw_without_rendering()
        for axes_row, series_row in zip(cells, rows, strict=True):
            marked = {
                one.sweep: (one.tables[0], one.coordinate, coordinate_labels.get(one.coordinate, one.coordinate))
                for one in series_row
            }
            for axes, panel in zip(axes_row, panels, strict=False):
                if not panel.get("x"):
                    mark_coordinates(axes, list(marked.values()), font_size - 1)
        if any(panel.get("x") for panel in panels):
            figure.draw_without_rendering()
            for axes_row, series_row in zip(cells, rows, strict=True):
                for axes, panel in zip(axes_row, panels, strict=False):
                    if panel.get("x"):
                        _label_trade_off(axes, panel, series_row, coordinate_labels, font_size - 2)
    return figure


_Lines = Sequence[tuple[str, Sequence[pd.DataFrame]]]
"""(sweep, table of each training)."""


def _rows_of_prompts(lines: _Lines) -> list[list[_Series]]:
    """A row per sweep and a curve per prompt set; the curve of a prompt set looks the same in all rows."""
    prompt_sets = list(dict.fromkeys(name for _, (table, *_) in lines for name in table["prompts"]))
    styles = series_styles(len(prompt_sets))
    return [
        [
            _Series(sweep, tables, name, prompts_label(name), index, styles[index])
            for index, name in enumerate(prompt_sets)
        ]
        for sweep, tables in lines
    ]


def _overlay_row(lines: _Lines, sweep_labels: Mapping[str, str]) -> list[list[_Series]]:
    """One row, a curve per sweep."""
    sets = {sweep: list(dict.fromkeys(table["prompts"])) for sweep, (table, *_) in lines}
    common = [name for name in next(iter(sets.values())) if all(name in known for known in sets.values())]
    if len(common) != 1:
        raise UserError(
            f"overlaid sweeps need exactly one prompt set in common, they have {common or 'none'} ({sets}); "
            "choose other sweeps or set overlay: false"
        )
    styles = series_styles(len(lines))
    return [
        [
            _Series(sweep, tables, common[0], sweep_labels.get(sweep, sweep), index, styles[index])
            for index, (sweep, tables) in enumerate(lines)
        ]
    ]


def _curves(series: _Series, statistic: Mapping[str, Any]) -> list[pd.DataFrame]:
    """The rows of one curve, ascending, for each training; none if the sweep does not have this prompt set."""
    found = (_rows(series, table, statistic) for table in series.tables)
    return [rows for rows in found if not rows.empty]


def _curve(series: _Series, statistic: Mapping[str, Any]) -> pd.DataFrame | None:
    """The rows of one curve, ascending, of the mean over trainings; None if the sweep does not have this prompt set."""
    rows = _curves(series, statistic)
    if len(rows) > 1:
        return mean_rows(rows, statistic.get("scale", "linear")).sort_values(series.coordinate)
    return rows[0] if rows else None


def _rows(series: _Series, table: pd.DataFrame, statistic: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a table that belong to one curve, ascending."""
    rows = table[(table["scorer"] == statistic["scorer"]) & (table["statistic"] == statistic["statistic"])]
    if rows.empty:
        known = sorted({f"{s}.{t}" for s, t in zip(table["scorer"], table["statistic"], strict=True)})
        raise UserError(
            f"sweep {series.sweep} has no {statistic['scorer']}.{statistic['statistic']}; its statistics: {known}"
        )
    rows = rows[rows["prompts"] == series.prompts].sort_values(series.coordinate)
    if statistic.get("scale", "linear") == "log" and (rows[["estimate", "low"]] <= 0).any(axis=None):
        raise UserError(f"{statistic['scorer']}.{statistic['statistic']} is not positive everywhere; use scale: linear")
    return rows


def _draw(axes: Axes, panel: Mapping[str, Any], series: _Series) -> Line2D | None:
    """Draw one curve; returns its line, or None if the sweep does not have this prompt set."""
    curve = _curve(series, panel)
    if curve is None:
        return None
    colour = series.style["color"]
    if panel.get("x"):
        across = _curve(series, panel["x"])
        assert across is not None  # the same sweep and prompt set
        x, y = across["estimate"].to_numpy(), curve["estimate"].to_numpy()
        for kind, low, high in _intervals(curve):
            # Not axes.errorbar: a bootstrap interval need not contain the estimate.
            dashes = ":" if kind == "trainings" else "-"
            axes.hlines(y, across[low], across[high], color=colour, alpha=0.45, linewidth=0.7, linestyles=dashes)
            axes.vlines(x, curve[low], curve[high], color=colour, alpha=0.45, linewidth=0.7, linestyles=dashes)
    else:
        x, y = curve[series.coordinate].to_numpy(), curve["estimate"].to_numpy()
        for kind, low, high in _intervals(curve):
            axes.fill_between(x, curve[low], curve[high], **_band(kind, colour))
        if len(series.tables) > 1:
            for one in _curves(series, panel):
                axes.plot(one[series.coordinate], one["estimate"], color=colour, **_ONE)
    (drawn,) = axes.plot(x, y, **series.style)
    return drawn


def _intervals(curve: pd.DataFrame) -> list[tuple[str, str, str]]:
    """(kind, columns of the limits) of the intervals of a curve: two of a mean over trainings, one of others."""
    if "trainings_low" not in curve:
        return [("", "low", "high")]
    return [(kind, f"{kind}_low", f"{kind}_high") for kind in ("trainings", "prompts")]


def _band(kind: str, colour: str) -> dict[str, Any]:
    """The look of a band of this kind (see ``_intervals``)."""
    if kind == "trainings":
        return {"facecolor": (colour, 0.08), "edgecolor": (colour, 0.8), "linestyle": ":", "linewidth": 0.8}
    return {"color": colour, "alpha": 0.2, "linewidth": 0}


def _band_handles(counts: Sequence[int]) -> dict[str, Artist]:
    """What the legend shows of means over this many trainings: label to handle."""
    if not counts:
        return {}
    bands = {label: Patch(**_band(kind, "0.3")) for kind, label in band_labels(counts).items()}
    return {**bands, "one training": Line2D([], [], color="0.3", **_ONE)}


def _draw_cost(axes: Axes, cost: pd.DataFrame, column: str, font_size: float) -> None:
    """Bars from 0 with the mean of ``column`` for each space, a dot per measurement, and mean and range in numbers."""
    if not np.isfinite(cost[column]).all():
        bad = cost[~np.isfinite(cost[column])].iloc[0]
        raise UserError(f"cost: {column} of point {bad['point']} in {bad['space']} is missing; measure it again")
    spaces = list(dict.fromkeys(cost["space"]))
    for at, space in enumerate(spaces):
        values = cost.loc[cost["space"] == space, column].to_numpy()
        axes.bar(at, values.mean(), width=0.62, color="0.82", edgecolor="0.45", linewidth=0.8)
        axes.vlines(at, values.min(), values.max(), color="0.25", linewidth=0.9)
        spread = np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else np.zeros(1)
        axes.plot(at + spread, values, linestyle="none", marker="o", markersize=2.5, color="0.25", markeredgewidth=0)
        axes.annotate(
            describe_range(values, "\n"), (at, 0), xytext=(0, 2), textcoords="offset points", ha="center", va="bottom",
            fontsize=font_size,
        )  # fmt: skip
    axes.set_xticks(range(len(spaces)), spaces)
    axes.set_xlim(-0.6, len(spaces) - 0.4)
    axes.set_ylim(bottom=0)


def _label_trade_off(
    axes: Axes,
    panel: Mapping[str, Any],
    series_row: Sequence[_Series],
    coordinate_labels: Mapping[str, str],
    font_size: float,
) -> None:
    """Write the coordinate at 0, 1 and both ends of each curve, wherever there is room."""
    room = LabelRoom(axes)
    found: list[tuple[_Series, np.ndarray]] = []
    for one in series_row:
        curve, across = _curve(one, panel), _curve(one, panel["x"])
        if curve is not None and across is not None:
            path = np.column_stack([curve[one.coordinate], across["estimate"], curve["estimate"]])
            bounds = np.column_stack([across[["low", "high"]], curve[["low", "high"]]])
            known = np.isfinite(path).all(axis=1)
            bounds, path = bounds[known], path[known]
            room.take_path(path[:, 1:])
            for (_, x, y), (left, right, low, high) in zip(path, bounds, strict=True):
                for interval in ([(left, y), (right, y)], [(x, low), (x, high)]):
                    if not np.isnan(interval).any():
                        room.take_path(interval)
            room.take_markers(path[:, 1:], 2.5)
            found.append((one, path))
    halo = [withStroke(linewidth=1.5, foreground="white")]
    for ends in (False, True):
        for one, path in found:
            value = path[:, 0]
            chosen = np.isin(value, (0, 1))
            if ends:
                chosen = np.isin(value, (value.min(initial=np.inf), value.max(initial=-np.inf))) & ~chosen
            name = coordinate_labels.get(one.coordinate, one.coordinate)
            for at, x, y in path[chosen]:
                label, colour = coordinate_text(name, at), one.style["color"]
                room.place_at(label, (float(x), float(y)), 4, font_size, color=colour, path_effects=halo)


def _legend(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """A legend below the panels, on as many lines as it needs."""
    for columns in range(len(labels), 0, -1):
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
        if legend.get_window_extent().width <= figure.bbox.width or columns == 1:
            return
        legend.remove()

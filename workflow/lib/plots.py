"""Figures of curves along sweeps (Figs. 3, 5, 6 and 10 of arXiv 2211.12092), and what all figures share."""

import itertools
import math
import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from matplotlib.text import Annotation

from workflow.lib.runtime import UserError, atomic_path
from workflow.lib.tables import coordinate_columns, single_model

# Curves of one panel differ in colour, marker and dashes, so that they can be told apart in greyscale as well.
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
CLASS_COLOURS = {"positive": "#029e73", "negative": "#d55e00"}
"""Colours of the two classes, from seaborn's colour-blind palette."""

_COSTS = {"seconds_per_1000_tokens": "Seconds per 1,000 tokens", "peak_memory_mb": "Peak memory of the process (MiB)"}

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def figure_style(font_size: float) -> dict[str, Any]:
    """The look of all figures as matplotlib settings, for ``mpl.rc_context``; ``font_size`` in points."""
    sizes = ("font.size", "axes.labelsize", "axes.titlesize", "legend.fontsize", "xtick.labelsize", "ytick.labelsize")
    # What people write, and what models say, is shown as it stands: $ begins no formula.
    plain = {"text.parse_math": False}
    return sns.axes_style("ticks") | sns.plotting_context("paper") | dict.fromkeys(sizes, font_size) | plain


@dataclass(frozen=True)
class _Series:
    """What one curve of a panel shows and how it looks."""

    table: pd.DataFrame
    prompts: str
    label: str
    colour: Any
    index: int

    @property
    def coordinate(self) -> str:
        coordinates = coordinate_columns(self.table)
        if len(coordinates) != 1:
            raise UserError(
                f"sweep {self.sweep}: curves need one coordinate, it has {coordinates}; remove it from the figure"
            )
        return coordinates[0]

    @property
    def sweep(self) -> str:
        return str(self.table["sweep"].iloc[0])


def plot_curves(
    tables: Sequence[pd.DataFrame],
    panels: Sequence[Mapping[str, Any]],
    coordinate_labels: Mapping[str, str] | None = None,
    sweep_labels: Mapping[str, str] | None = None,
    title: str | None = None,
    overlay: bool = False,
    columns: int | None = None,
    cost: pd.DataFrame | None = None,
    panel_width: float = 3.1,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Curves of several statistics along sweeps of one coordinate: one row per sweep, one column per panel.

    ``tables`` are sweep tables (``tables.sweep_table``), one per sweep. A panel is ``{scorer, statistic, label, scale,
    x}`` with scale ``linear`` (default) or ``log``; all rows of a column share its y axis. Long labels are wrapped.
    Bands are the tables' 95 % intervals. Dashed lines mark coordinate 0 and 1 and name the model where the point there
    is a single model. A panel with ``x``, a ``{scorer, statistic, label}``, is a trade-off: it is drawn against that
    statistic, its points joined in order of the coordinate and some of them labelled with it, with thin 95 % intervals
    in both directions. ``coordinate_labels`` and ``sweep_labels`` replace names of coordinates and of sweeps (above
    the row; one sweep without a label has none).

    ``overlay`` draws all sweeps into one row of panels, on the one prompt set that they have in common, with a legend
    of the sweeps; models are named where all sweeps agree. ``columns`` breaks a single row after so many panels.
    ``cost`` (columns ``space, seconds_per_1000_tokens, peak_memory_mb``, one row per measurement) adds two panels of
    bars to an overlay: the mean per space, and a dot per measurement. ``panel_width`` and ``panel_height`` are in
    inches, ``font_size`` is in points.

    Raises ``UserError`` if a sweep has more than one coordinate, if a table lacks a panel's statistic, if a value on
    a log axis is not positive, if sweeps to overlay do not have exactly one prompt set in common, or if a cost is
    missing; also if ``columns`` is given for several rows or ``cost`` without ``overlay``.
    """
    coordinate_labels, sweep_labels = coordinate_labels or {}, sweep_labels or {}
    rows = _overlay_row(tables, sweep_labels) if overlay else _rows_of_prompts(tables)
    if len(rows) > 1 and columns is not None:
        raise UserError("columns breaks a single row, but each sweep has its own; remove columns or set overlay: true")
    if cost is not None and not overlay:
        raise UserError("cost compares sweeps in one row of panels; set overlay: true or remove cost")
    count = len(panels) + (0 if cost is None else len(_COSTS))
    wide = min(columns or count, count)
    deep = len(rows) if len(rows) > 1 else math.ceil(count / wide)
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(panel_width * wide, panel_height * deep), layout="constrained")
        # A panel takes about 0.7 of its row, a character about 0.55 of the font size.
        wrap = max(8, int(panel_height * 72 * 0.7 / (0.55 * font_size)))
        grid = figure.subplots(deep, wide, sharey="col" if len(rows) > 1 else False, squeeze=False)
        cells = list(grid) if len(rows) > 1 else [grid.ravel()[:count]]
        for unused in grid.ravel()[len(rows) * count :]:
            unused.remove()
        handles: dict[int, Line2D] = {}
        for row, (axes_row, series_row) in enumerate(zip(cells, rows, strict=True)):
            names = dict.fromkeys(coordinate_labels.get(one.coordinate, one.coordinate) for one in series_row)
            for axes, panel in zip(axes_row, panels, strict=False):
                axes.set_yscale(panel.get("scale", "linear"))
                for one in series_row:
                    drawn = _draw(axes, panel, one)
                    if drawn is not None:
                        handles.setdefault(one.index, drawn)
                axes.set_xlabel(panel["x"]["label"] if panel.get("x") else ", ".join(names))
                axes.set_ylabel(textwrap.fill(panel["label"], wrap))
                sns.despine(ax=axes)
            sweep = series_row[0].sweep
            if not overlay and (len(rows) > 1 or sweep in sweep_labels):
                # Above the names of the models, which _mark_models writes at the upper edge of the panels.
                label = sweep_labels.get(sweep, sweep)
                cells[row][0].set_title(label, loc="left", pad=1.8 * font_size, fontsize=font_size, fontweight="bold")
        if cost is not None:
            for axes, (column, label) in zip(cells[0][len(panels) :], _COSTS.items(), strict=True):
                _draw_cost(axes, cost, column, font_size - 1)
                axes.set_ylabel(textwrap.fill(label, wrap))
                sns.despine(ax=axes)
        for axes, panel in zip(cells[0], panels, strict=False):
            if panel.get("scale", "linear") == "log":
                log_ticks(axes)
        if title:
            figure_title(figure, title, font_size + 2)
        if len(handles) > 1:
            labels = {one.index: one.label for series_row in rows for one in series_row}
            order = sorted(handles)
            _legend(figure, [handles[i] for i in order], [labels[i] for i in order], None if overlay else "prompts")
        # Once the sizes of the panels are known: the names of two reference lines may not overlap.
        figure.draw_without_rendering()
        for axes_row, series_row in zip(cells, rows, strict=True):
            for axes, panel in zip(axes_row, panels, strict=False):
                if not panel.get("x"):
                    _mark_models(axes, series_row, font_size - 1)
        if any(panel.get("x") for panel in panels):
            figure.draw_without_rendering()
            for axes_row, series_row in zip(cells, rows, strict=True):
                for axes, panel in zip(axes_row, panels, strict=False):
                    if panel.get("x"):
                        _label_trade_off(axes, panel, series_row, coordinate_labels, font_size - 2)
    return figure


def _rows_of_prompts(tables: Sequence[pd.DataFrame]) -> list[list[_Series]]:
    """A row per sweep, a curve per prompt set, which looks the same in all rows."""
    prompt_sets = list(dict.fromkeys(name for table in tables for name in table["prompts"]))
    colours = sns.color_palette("colorblind", len(prompt_sets))
    return [
        [_Series(table, name, name, colours[index], index) for index, name in enumerate(prompt_sets)]
        for table in tables
    ]


def _overlay_row(tables: Sequence[pd.DataFrame], sweep_labels: Mapping[str, str]) -> list[list[_Series]]:
    """One row, a curve per sweep."""
    sets = {str(table["sweep"].iloc[0]): list(dict.fromkeys(table["prompts"])) for table in tables}
    common = [name for name in next(iter(sets.values())) if all(name in known for known in sets.values())]
    if len(common) != 1:
        raise UserError(
            f"overlaid sweeps need exactly one prompt set in common, they have {common or 'none'} ({sets}); "
            "choose other sweeps or set overlay: false"
        )
    colours = sns.color_palette("colorblind", len(tables))
    return [
        [
            _Series(table, common[0], sweep_labels.get(sweep, sweep), colours[index], index)
            for index, (sweep, table) in enumerate(zip(sets, tables, strict=True))
        ]
    ]


def _curve(series: _Series, statistic: Mapping[str, Any]) -> pd.DataFrame | None:
    """The rows of one curve, ascending; None if the sweep does not have this prompt set."""
    table = series.table
    rows = table[(table["scorer"] == statistic["scorer"]) & (table["statistic"] == statistic["statistic"])]
    if rows.empty:
        known = sorted({f"{s}.{t}" for s, t in zip(table["scorer"], table["statistic"], strict=True)})
        raise UserError(
            f"sweep {series.sweep} has no {statistic['scorer']}.{statistic['statistic']}; its statistics: {known}"
        )
    rows = rows[rows["prompts"] == series.prompts].sort_values(series.coordinate)
    if statistic.get("scale", "linear") == "log" and (rows[["estimate", "low"]] <= 0).any(axis=None):
        raise UserError(f"{statistic['scorer']}.{statistic['statistic']} is not positive everywhere; use scale: linear")
    return None if rows.empty else rows


def _draw(axes: Axes, panel: Mapping[str, Any], series: _Series) -> Line2D | None:
    """Draw one curve; returns its line, or None if the sweep does not have this prompt set."""
    curve = _curve(series, panel)
    if curve is None:
        return None
    if panel.get("x"):
        across = _curve(series, panel["x"])
        assert across is not None  # the same sweep and prompt set
        x, y = across["estimate"].to_numpy(), curve["estimate"].to_numpy()
        # No axes.errorbar: a percentile interval need not contain the estimate.
        axes.hlines(y, across["low"], across["high"], color=series.colour, alpha=0.45, linewidth=0.7)
        axes.vlines(x, curve["low"], curve["high"], color=series.colour, alpha=0.45, linewidth=0.7)
    else:
        x, y = curve[series.coordinate].to_numpy(), curve["estimate"].to_numpy()
        axes.fill_between(x, curve["low"], curve["high"], color=series.colour, alpha=0.2, linewidth=0)
    (drawn,) = axes.plot(
        x,
        y,
        color=series.colour,
        marker=MARKERS[series.index % len(MARKERS)],
        linestyle=DASHES[series.index % len(DASHES)],
        markersize=3.5,
        markeredgewidth=0,
        linewidth=1.3,
    )
    return drawn


def _draw_cost(axes: Axes, cost: pd.DataFrame, column: str, font_size: float) -> None:
    """Bars from 0: the mean of ``column`` for each space, with its value; a dot per measurement."""
    if not np.isfinite(cost[column]).all():
        bad = cost[~np.isfinite(cost[column])].iloc[0]
        raise UserError(f"cost: {column} of point {bad['point']} in {bad['space']} is missing; measure it again")
    spaces = list(dict.fromkeys(cost["space"]))
    for at, space in enumerate(spaces):
        values = cost.loc[cost["space"] == space, column].to_numpy()
        axes.bar(at, values.mean(), width=0.62, color="0.82", edgecolor="0.45", linewidth=0.8)
        spread = np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else np.zeros(1)
        axes.plot(at + spread, values, linestyle="none", marker="o", markersize=2.5, color="0.25", markeredgewidth=0)
        axes.annotate(
            f"{values.mean():,.3g}" if values.mean() < 1000 else f"{values.mean():,.0f}",
            (at, 0), xytext=(0, 2), textcoords="offset points", ha="center", va="bottom", fontsize=font_size,
        )  # fmt: skip
    axes.set_xticks(range(len(spaces)), spaces)
    axes.set_xlim(-0.6, len(spaces) - 0.4)
    axes.set_ylim(bottom=0)


def _mark_models(axes: Axes, series_row: Sequence[_Series], font_size: float) -> None:
    """Dashed lines at coordinate 0 and 1, with the name of the model above where all sweeps have a single, same one."""
    low, high = axes.get_xlim()
    marked = [value for value in (0.0, 1.0) if low <= value <= high]
    texts = {}
    for value in marked:
        axes.axvline(value, color="0.45", linestyle="--", linewidth=0.8, zorder=0)
        names = {single_model(one.table, one.coordinate, value) for one in series_row}
        name = names.pop()
        if name and not names:
            texts[value] = axes.text(
                value, 1.015, name, transform=axes.get_xaxis_transform(),
                fontsize=font_size, color="0.25", ha="center", va="bottom",
            )  # fmt: skip
    if len(texts) == 2:
        boxes = [texts[value].get_window_extent() for value in marked]
        if boxes[0].x1 + font_size / 2 > boxes[1].x0:
            texts[0.0].set_horizontalalignment("right")
            texts[1.0].set_horizontalalignment("left")


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
            path = path[np.isfinite(path).all(axis=1)]
            room.take_path(path[:, 1:])
            room.take_discs(path[:, 1:], 2.5)
            found.append((one, path))
    for ends in (False, True):
        for one, path in found:
            value = path[:, 0]
            chosen = np.isin(value, (0, 1))
            if ends:
                chosen = np.isin(value, (value.min(initial=np.inf), value.max(initial=-np.inf))) & ~chosen
            name = coordinate_labels.get(one.coordinate, one.coordinate)
            for at, x, y in path[chosen]:
                label = f"{name} = {at:g}".replace("-", "−")
                halo = [withStroke(linewidth=1.5, foreground="white")]
                spots = room.around(label, (x, y), 4, font_size)
                room.place(label, spots, font_size, color=one.colour, path_effects=halo)


def figure_title(figure: Figure, title: str, font_size: float) -> None:
    """Write ``title`` above all panels, wrapped to the width of the figure; ``font_size`` in points."""
    # A character is about 0.55 of the font size wide.
    wrap = max(16, int(figure.get_figwidth() * 72 / (0.55 * font_size)))
    figure.suptitle(textwrap.fill(title, wrap), fontsize=font_size)


def _legend(figure: Figure, handles: Sequence[Line2D], labels: Sequence[str], title: str | None) -> None:
    """A legend below the panels, on as many lines as it needs."""
    for columns in range(len(labels), 0, -1):
        legend = figure.legend(
            handles, labels, title=title, title_fontsize=mpl.rcParams["font.size"],
            loc="outside lower center", ncols=columns, frameon=False,
        )  # fmt: skip
        if legend.get_window_extent().width <= figure.bbox.width or columns == 1:
            return
        legend.remove()


@dataclass(frozen=True)
class Spot:
    """A place for a label: the centre lies ``shift`` points (right, up) from ``at`` (data); ``angle`` in degrees."""

    at: tuple[float, float]
    shift: tuple[float, float]
    angle: float = 0.0


class LabelRoom:
    """Finds places for labels inside a panel, away from what is drawn there and from each other.

    Use it once the layout of the figure is known (``figure.draw_without_rendering()``).
    """

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self._points_per_pixel = 72 / axes.figure.dpi
        # All lengths in points from here on.
        self._taken = np.empty((0, 2))

    def _to_points(self, data: Any) -> np.ndarray:
        return self.axes.transData.transform(np.asarray(data, dtype=np.float64).reshape(-1, 2)) * self._points_per_pixel

    def take_path(self, data: Any) -> None:
        """Keep labels off the line through these points, (n, 2) in data coordinates."""
        corners = self._to_points(data)
        parts = [
            start + np.linspace(0, 1, 2 + int(np.hypot(*(end - start)) / 2))[:, None] * (end - start)
            for start, end in itertools.pairwise(corners)
        ]
        self._taken = np.vstack([self._taken, *parts])

    def take_discs(self, data: Any, radius: float) -> None:
        """Keep labels off discs of ``radius`` points around these points, (n, 2) in data coordinates."""
        turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        circle = np.vstack([np.zeros((1, 2)), radius * np.column_stack([np.cos(turns), np.sin(turns)])])
        self._taken = np.vstack([self._taken, (self._to_points(data)[:, None] + circle).reshape(-1, 2)])

    def size(self, label: str, font_size: float) -> tuple[float, float]:
        """Width and height of a label in points."""
        text = self.axes.text(0, 0, label, fontsize=font_size)
        box = text.get_window_extent()
        text.remove()
        return box.width * self._points_per_pixel, box.height * self._points_per_pixel

    def around(self, label: str, at: tuple[float, float], gap: float, font_size: float) -> list[Spot]:
        """The places beside a point (data coordinates), ``gap`` points away from it."""
        width, height = self.size(label, font_size)
        sides = ((1, 0), (0, 1), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
        return [
            Spot(at, (x * (width / 2 + gap / math.hypot(x, y)), y * (height / 2 + gap / math.hypot(x, y))))
            for x, y in sides
        ]

    def place(
        self, label: str, spots: Sequence[Spot], font_size: float, *, must: bool = False, **style: Any
    ) -> Annotation | None:
        """Write ``label`` at the spot inside the panel with most room around it, the first of equals.

        More than 6 points of room are as good as 6, less than 1 is none. If it fits nowhere, None is returned, or, if
        it ``must`` be there, it is written where it is in the way least. ``style`` goes to the text.
        """
        half = np.array(self.size(label, font_size)) / 2
        frame = np.array(self.axes.bbox.extents) * self._points_per_pixel
        found = []
        for spot in spots:
            centre = self._to_points(spot.at)[0] + spot.shift
            turn = np.deg2rad(spot.angle)
            along, up = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
            # The smallest upright box around the turned label.
            reach = half[0] * np.abs(along) + half[1] * np.abs(up)
            outside = np.maximum(frame[:2] - (centre - reach), (centre + reach) - frame[2:]).max()
            apart = np.abs((self._taken - centre) @ np.column_stack([along, up])) - half
            room = -outside if outside > 0 else np.hypot(*np.maximum(apart, 0).T).min(initial=6.0)
            # Rounded, so that equals are equal.
            found.append((round(float(room), 1), spot, centre, along, up))
        room, spot, centre, along, up = max(found, key=lambda option: option[0])
        if room < 1 and not must:
            return None
        across = [np.linspace(-size, size, 2 + int(size)) for size in half]
        self._taken = np.vstack([self._taken, *(centre + x * along + y * up for x in across[0] for y in across[1])])
        return self.axes.annotate(
            label, spot.at, xytext=spot.shift, textcoords="offset points", ha="center", va="center",
            rotation=spot.angle, rotation_mode="anchor", fontsize=font_size, **style,
        )  # fmt: skip


def log_ticks(axes: Axes) -> None:
    """Labelled ticks on a vertical log axis that spans a fraction of a decade as well as on one that spans six.

    Call it once the limits are known. ``axes`` may be those of a colour bar.
    """
    axis, limits = axes.yaxis, axes.get_ylim()
    decades = float(np.diff(np.log10(limits))[0])
    if decades < 0.5:
        axis.set_major_locator(ticker.MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        axis.set_minor_locator(ticker.NullLocator())
    else:
        multiples = (
            (1, 1.5, 2, 3, 5, 7) if decades < 1 else (1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)
        )
        axis.set_major_locator(ticker.LogLocator(subs=multiples))
    axis.set_minor_formatter(ticker.NullFormatter())
    # 100,000 is easier to read than a power; 10,000,000 is not.
    powers = limits[1] >= 1e6
    axis.set_major_formatter(ticker.FuncFormatter(power_of_ten if powers else lambda value, _: f"{value:,.6g}"))


def power_of_ten(value: float, _: object = None) -> str:
    """``10⁻³`` or ``3 × 10⁶``: a tick on a log axis."""
    digits, exponent = f"{value:.6e}".split("e")
    factor = "" if float(digits) == 1 else f"{float(digits):g} × "
    return f"{factor}10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def draw(snakemake: Any, plot: Callable[..., Figure], *data: Any, **options: Any) -> None:
    """Save the figure of a job: ``plot`` of ``data`` with ``options`` and what every figure's settings hold."""
    settings = snakemake.params.settings["figure"]
    common = {key: settings[key] for key in ("title", "panel_width", "panel_height")}
    figure = plot(*data, **options, **common)
    save_figure(figure, snakemake.output.png, snakemake.output.pdf, settings["dpi"])


def save_figure(figure: Figure, png: str | os.PathLike[str], pdf: str | os.PathLike[str], dpi: int) -> None:
    """Save as PNG (``dpi`` dots per inch) and as PDF with TrueType fonts, atomically.

    The files carry no date and no version, so that equal figures give equal bytes.
    """
    with mpl.rc_context({"pdf.fonttype": 42}):
        with atomic_path(png) as scratch:
            figure.savefig(scratch, format="png", dpi=dpi, metadata={"Software": None})
        with atomic_path(pdf) as scratch:
            figure.savefig(scratch, format="pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None})

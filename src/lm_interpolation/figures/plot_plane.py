"""Heat maps over planes of two coordinates (Figs. 7 and 8 of arXiv 2211.12092)."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from lm_interpolation.figures.colours import ABOVE, ColourScale, colour_scale
from lm_interpolation.figures.naming import scaled_label
from lm_interpolation.figures.panels import panels_of
from lm_interpolation.figures.plot_labels import LabelRoom, Spot
from lm_interpolation.figures.style import cell_edges, figure_style, figure_title, log_ticks, panel_grid
from lm_interpolation.jobs.runtime import UserError, error_prefix
from lm_interpolation.tables.tables import grid_mask

_MOST_TICKS = 12
"""Labels on an axis with equal steps."""
_OUTLINE = [withStroke(linewidth=1.8, foreground="black")]


@dataclass(frozen=True)
class PlanePanel:
    """One heat map. ``data`` has a row per point: the two coordinates, ``estimate`` (NaN: no value), and ``low`` and
    ``high``, its 95 % interval (NaN: none).

    ``scale`` is ``linear`` or ``log``. ``limit`` is where the colour scale ends if values lie above it; these are grey
    and dotted. ``centre`` makes the scale reach equally far on both sides of it. For more on colours see
    ``colours.colour_scale``.
    """

    data: pd.DataFrame
    label: str
    scale: str = "linear"
    limit: float | None = None
    centre: float | None = None


@dataclass(frozen=True)
class _Grid:
    """Values on a grid: ``values[j, i]`` (NaN: missing) at ascending ``x[i]``, ``y[j]``; other points are anchors."""

    x: np.ndarray
    y: np.ndarray
    values: np.ndarray
    anchors: np.ndarray  # (n, 3): x, y, value


@dataclass(frozen=True)
class _Steps:
    """An axis with equal steps between ascending ``values``."""

    values: np.ndarray

    @classmethod
    def of(cls, tables: Sequence[pd.DataFrame], coordinate: str) -> "_Steps":
        return cls(np.unique(np.concatenate([table[coordinate].to_numpy(dtype=np.float64) for table in tables])))

    def places(self, values: pd.Series) -> np.ndarray:
        return np.searchsorted(self.values, values.to_numpy(dtype=np.float64)).astype(np.float64)

    def place(self, label: str, coordinate: str, value: float) -> float:
        found = np.flatnonzero(np.isclose(self.values, value, rtol=0, atol=1e-9))
        if not len(found):
            known = ", ".join(f"{one:g}" for one in self.values)
            raise UserError(f"marker {label}: {coordinate} = {value:g} has no tick; choose one of {known}")
        return float(found[0])

    def labels(self) -> list[str]:
        """A label for each value, or for some if there are many."""
        step = -(-len(self.values) // _MOST_TICKS)
        return [f"{value:g}".replace("-", "−") if not n % step else "" for n, value in enumerate(self.values)]


def plot_plane(
    panels: Sequence[PlanePanel],
    coordinates: tuple[str, str],
    coordinate_labels: Mapping[str, str] | None = None,
    markers: Sequence[Mapping[str, Any]] = (),
    lines: Sequence[Mapping[str, Any]] = (),
    title: str | None = None,
    columns: int | None = None,
    even: Sequence[str] = (),
    panel_width: float = 3.6,
    panel_height: float = 3.0,
    font_size: float = 9.0,
) -> Figure:
    """Heat maps over a plane, side by side, each with its own colour bar and both coordinates on one scale.

    ``coordinates`` are the columns on the horizontal and the vertical axis. A grid point is a cell that reaches halfway
    to its neighbours; points off the grid (often single models) are discs on the same colour scale. Cells without a
    value are hatched. A bracket beside the colour bar is as long as the median 95 % interval. ``columns`` is the number
    of panels side by side; by default as many as fit on a page. Coordinates in ``even`` have equal steps, with a tick
    at each value: for settings such as 0.05, 0.2 and 1, whose cells would be 13 times as wide as each other. Then the
    two coordinates do not share one scale, and an interval between two ticks has no meaning.

    ``markers``, each ``{label, at: {coordinate: value}}``, are rings with a label. ``lines``, each ``{label,
    coefficients: {coordinate: c}, value}``, are the dashed lines sum of c * coordinate = value. Both are clipped to
    the plane. ``panel_width`` and ``panel_height`` are in inches, ``font_size`` is in points.

    Raises ``UserError`` if the points of a panel form no grid, if no value (log scale: no positive value) can be drawn,
    if a panel's scale, limit and centre contradict each other, or if a marker or a line names other coordinates. With
    equal steps, also if there are lines, or if a marker lies at none of the values.
    """
    for entry in (*(marker["at"] for marker in markers), *(line["coefficients"] for line in lines)):
        unknown = sorted(set(entry) - set(coordinates))
        if unknown:
            raise UserError(f"the plane has the coordinates {list(coordinates)}, not {unknown}; correct the figure")
    for marker in markers:
        if set(marker["at"]) != set(coordinates):
            raise UserError(f"marker {marker['label']} lacks a coordinate: {dict(marker['at'])}; give {coordinates}")
    for line in lines:
        if not any(line["coefficients"].values()):
            raise UserError(f"line {line['label']}: all coefficients are 0; give one that is not")
        if even:
            raise UserError(f"line {line['label']}: is not straight where {list(even)} has equal steps; remove it")
    steps = [_Steps.of([panel.data for panel in panels], name) if name in even else None for name in coordinates]
    for name, scale in zip(coordinates, steps, strict=True):
        if scale is not None:
            panels = [
                replace(panel, data=panel.data.assign(**{name: scale.places(panel.data[name])})) for panel in panels
            ]
            markers = [
                {**marker, "at": {**marker["at"], name: scale.place(marker["label"], name, marker["at"][name])}}
                for marker in markers
            ]
    with mpl.rc_context(figure_style(font_size)):
        deep, wide = panel_grid(len(panels), panel_width, columns)
        figure = Figure(figsize=(panel_width * wide, panel_height * deep), layout="constrained")
        row = panels_of(figure, len(panels), deep, wide)
        for axes, panel in zip(row, panels, strict=True):
            with error_prefix(f"panel {panel.label!r}"):
                _draw_panel(axes, panel, coordinates, (panel_width, panel_height), font_size)
            if even:
                axes.set_aspect("auto")
            for axis, scale in zip((axes.xaxis, axes.yaxis), steps, strict=True):
                if scale is not None:
                    axis.set_major_locator(ticker.FixedLocator(range(len(scale.values))))
                    axis.set_major_formatter(ticker.FixedFormatter(scale.labels()))
            across, upward = ((coordinate_labels or {}).get(coordinate, coordinate) for coordinate in coordinates)
            axes.set_xlabel(across)
            axes.set_ylabel(upward)
        if title:
            figure_title(figure, title, font_size + 2)
        # Labels are placed once the sizes of the panels are known.
        figure.draw_without_rendering()
        for axes in row:
            _annotate(axes, coordinates, markers, lines, font_size)
    return figure


def _grid(data: pd.DataFrame, coordinates: tuple[str, str]) -> _Grid:
    points = data[list(coordinates)].to_numpy(dtype=np.float64)
    estimate = data["estimate"].to_numpy(dtype=np.float64)
    inside = grid_mask(points)
    x, y = (np.unique(points[inside, axis]) for axis in (0, 1))
    if len(x) < 2 or len(y) < 2:
        raise UserError(
            f"the points make no grid over {list(coordinates)}: at least two values of each are needed; "
            "draw a sweep of two coordinates"
        )
    values = np.full((len(y), len(x)), np.nan)
    values[np.searchsorted(y, points[inside, 1]), np.searchsorted(x, points[inside, 0])] = estimate[inside]
    return _Grid(x, y, values, np.column_stack([points, estimate])[~inside])


def _draw_panel(
    axes: Axes, panel: PlanePanel, coordinates: tuple[str, str], size: tuple[float, float], font_size: float
) -> None:
    """Cells, anchors and the colour bar; ``size`` of the panel in inches."""
    grid = _grid(panel.data, coordinates)
    scale = colour_scale(panel.data, panel.scale, panel.limit, panel.centre)
    norm, colours = scale.norm, mpl.colormaps[scale.map].with_extremes(over=ABOVE)
    x_edges, y_edges = cell_edges(grid.x), cell_edges(grid.y)
    notes = []
    missing = np.isnan(grid.values)
    _hatch(axes, missing, x_edges, y_edges, facecolor="white", edgecolor="0.6", hatch="/////")
    mesh = axes.pcolormesh(
        x_edges,
        y_edges,
        np.ma.masked_invalid(grid.values),
        cmap=colours,
        norm=norm,
        # Edges in the colour of their cell: without them PDF viewers show gaps between cells.
        edgecolors="face",
        linewidth=0.2,
    )
    anchors = grid.anchors[~np.isnan(grid.anchors[:, 2])]
    axes.scatter(
        anchors[:, 0], anchors[:, 1], c=anchors[:, 2], cmap=colours, norm=norm, s=26, edgecolors="white",
        linewidths=0.8, zorder=3,
    )  # fmt: skip
    # Anchors beyond the grid stay entirely visible.
    for set_limits, edges, at in (
        (axes.set_xlim, x_edges, anchors[:, 0]),
        (axes.set_ylim, y_edges, anchors[:, 1]),
    ):
        margin = (edges[-1] - edges[0]) / 20
        set_limits(min([edges[0], *(at - margin)]), max([edges[-1], *(at + margin)]))
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(ticker.MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    if panel.limit is not None and scale.above:
        _hatch(axes, grid.values > panel.limit, x_edges, y_edges, facecolor="none", edgecolor="0.45", hatch="....")
        notes.append(f"(above {panel.limit:,.6g} grey, dotted)")
    if missing.any():
        notes.append("(no value where hatched)")
    # There is room for the bracket left of the bar.
    bar = axes.figure.colorbar(
        mesh, cax=axes.inset_axes((1.09, 0, 0.05, 1)), extend="max" if scale.above else "neither"
    )
    if scale.log:
        log_ticks(bar.ax)
    bar.outline.set_linewidth(0.6)
    # The bar is about 0.75 of the height, and there is 0.85 of the width; a character is about 0.55 of the font size.
    small = font_size - 1.5
    wide, high = int(0.85 * size[0] * 72 / (0.55 * small)), int(0.75 * size[1] * 72 / (0.55 * font_size))
    label = scaled_label(panel.label, panel.scale)
    bar.set_label("\n".join(textwrap.fill(text, max(8, high)) for text in [label, *notes]))
    axes.set_title(textwrap.fill(scale.describe_interval(), max(8, wide)), loc="left", fontsize=small)
    _draw_bracket(axes, scale)


def _draw_bracket(axes: Axes, scale: ColourScale) -> None:
    """The median interval, left of the colour bar and as long as on it."""
    if scale.bracket is not None:
        low, high = scale.bracket
        x = (1.07, 1.04, 1.04, 1.07)
        style: dict[str, Any] = {"color": "0.1", "linewidth": 1.0, "clip_on": False, "gid": "interval"}
        axes.plot(x, (low, low, high, high), transform=axes.transAxes, **style)


def _hatch(axes: Axes, cells: np.ndarray, x_edges: np.ndarray, y_edges: np.ndarray, **style: Any) -> None:
    """Mark the ``cells``, (n_y, n_x) bool, with a pattern."""
    for j, i in np.argwhere(cells):
        corner, size = (x_edges[i], y_edges[j]), (x_edges[i + 1] - x_edges[i], y_edges[j + 1] - y_edges[j])
        axes.add_patch(Rectangle(corner, *size, linewidth=0, **style))


def _annotate(
    axes: Axes,
    coordinates: tuple[str, str],
    markers: Sequence[Mapping[str, Any]],
    lines: Sequence[Mapping[str, Any]],
    font_size: float,
) -> None:
    """Draw lines and rings, then labels clear of both, in white with a black outline that is readable on any colour."""
    limits = np.array([axes.get_xlim(), axes.get_ylim()])
    room = LabelRoom(axes)
    at = np.array([[marker["at"][name] for name in coordinates] for marker in markers], dtype=np.float64).reshape(-1, 2)
    seen = np.all((at >= limits[:, 0]) & (at <= limits[:, 1]), axis=1)
    room.take_markers(at[seen], 6)
    segments = {}
    for index, line in enumerate(lines):
        coefficients = np.array([line["coefficients"].get(name, 0) for name in coordinates], dtype=np.float64)
        ends = _clip(coefficients, float(line["value"]), limits)
        if ends is not None:
            segments[index] = ends
            axes.plot(*ends.T, color="white", linestyle=(0, (4, 2.5)), linewidth=1.1, path_effects=_OUTLINE, zorder=2.5)
            room.take_path(ends)
    axes.plot(
        *at[seen].T, linestyle="none", marker="o", markersize=9, markerfacecolor="none", markeredgecolor="white",
        markeredgewidth=1.2, path_effects=[withStroke(linewidth=3, foreground="black")], zorder=4,
    )  # fmt: skip
    text: dict[str, Any] = {"color": "white", "path_effects": _OUTLINE, "zorder": 5, "must": True}
    for marker, (x, y) in zip(itertools.compress(markers, seen.tolist()), at[seen], strict=True):
        room.place_at(marker["label"], (float(x), float(y)), 8, font_size, **text)
    for index, ends in segments.items():
        label, others = lines[index]["label"], [other for key, other in segments.items() if key != index]
        room.place(label, _beside(axes, room, label, ends, others, font_size - 1), font_size - 1, **text)


def _clip(coefficients: np.ndarray, value: float, limits: np.ndarray) -> np.ndarray | None:
    """Ends, (2, 2), of the line coefficients @ (x, y) = value within ``limits`` (per axis: low, high), or None."""
    ends = []
    for axis in (0, 1):
        other = 1 - axis
        if coefficients[other]:
            for edge in limits[axis]:
                point = np.empty(2)
                point[axis] = edge
                point[other] = (value - coefficients[axis] * edge) / coefficients[other]
                if limits[other, 0] <= point[other] <= limits[other, 1]:
                    ends.append(point)
    # In order along the line; a line through a corner yields three or four of them.
    ends.sort(key=lambda point: (point[0], point[1]))
    return None if len(ends) < 2 or np.array_equal(ends[0], ends[-1]) else np.array([ends[0], ends[-1]])


def _beside(
    axes: Axes, room: LabelRoom, label: str, ends: np.ndarray, others: Sequence[np.ndarray], font_size: float
) -> list[Spot]:
    """Places along both sides of a line; those away from the other lines come first.

    They are upright and, as far as possible, nearer to this line than to others.
    """
    start, end = axes.transData.transform(ends)
    along = (end - start) / np.hypot(*(end - start))
    normal = np.array([-along[1], along[0]])
    beyond = sum(float((axes.transData.transform(other.mean(axis=0)) - start) @ normal) for other in others)
    side = -1 if beyond > 0 else 1
    half = np.array(room.size(label, font_size)) / 2
    # The label's box just clears the line.
    distance = float(half @ np.abs(normal)) + 2
    spots = [
        Spot(tuple(ends[0] + share * (ends[1] - ends[0])), tuple(sign * distance * normal))
        for sign in (side, -side)
        for share in (0.85, 0.15, 0.75, 0.25, 0.65, 0.35, 0.5)
    ]
    lines = [axes.transData.transform(other) for other in others]
    pixel = axes.figure.dpi / 72
    centres = [axes.transData.transform(spot.at) + pixel * np.array(spot.shift) for spot in spots]
    nearer = [
        spot
        for spot, centre in zip(spots, centres, strict=True)
        if all(_line_distance(centre, line) > 1.5 * pixel * distance for line in lines)
    ]
    return nearer or spots


def _line_distance(point: np.ndarray, ends: np.ndarray) -> float:
    """Distance of ``point`` (2,) from the straight line through ``ends`` (2, 2)."""
    (along_x, along_y), (x, y) = ends[1] - ends[0], point - ends[0]
    return float(abs(along_x * y - along_y * x) / np.hypot(along_x, along_y))

"""Labels of marked coordinates and of points in the panels of figures, placed so that none can be misattributed."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.text import Annotation, Text

from lm_interpolation.figures.naming import coordinate_text, model_label
from lm_interpolation.tables.tables import single_model

_CLEAR = 3.0
"""Points by which a marker lies nearer to its label than any other marker does."""


def mark_coordinates(axes: Axes, lines: Sequence[tuple[pd.DataFrame, str, str]], font_size: float) -> None:
    """Labelled dashed lines at coordinate 0 and 1 of curves, each only if it is on the grid of some curve.

    ``lines`` holds (table, name of its coordinate, label of the coordinate) for each sweep of the panel. The label is
    the name of the model if all sweeps that have the coordinate have the same single model there, else the coordinate
    itself. Use it once the layout of the figure is known: two labels may not overlap.
    """
    texts: list[Text] = []
    for value in (0.0, 1.0):
        there = [line for line in lines if (line[0][line[1]] == value).any()]
        if not there:
            continue
        axes.axvline(value, color="0.45", linestyle="--", linewidth=0.8, zorder=0)
        models = {single_model(table, coordinate, value) for table, coordinate, _ in there}
        model = models.pop()
        names = ", ".join(dict.fromkeys(label for _, _, label in there))
        text = model_label(model) if model and not models else coordinate_text(names, value)
        style: dict[str, Any] = {"fontsize": font_size, "color": "0.25", "ha": "center", "va": "bottom"}
        texts.append(axes.text(value, 1.015, text, transform=axes.get_xaxis_transform(), **style))
    if len(texts) == 2:
        left, right = (text.get_window_extent() for text in texts)
        if left.x1 + font_size / 2 > right.x0:
            texts[0].set_horizontalalignment("right")
            texts[1].set_horizontalalignment("left")


@dataclass(frozen=True)
class Spot:
    """A place for a label: its centre lies ``shift`` points (right, up) from ``at`` (data).

    With a ``leader``, a thin line leads from the label to ``at``.
    """

    at: tuple[float, float]
    shift: tuple[float, float]
    leader: bool = False


class LabelRoom:
    """Finds places for labels inside a panel, away from what is drawn there and from each other.

    Use it once the layout of the figure is known (``figure.draw_without_rendering()``).
    """

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self._points_per_pixel = 72 / axes.figure.dpi
        # All lengths in points from here on.
        self._taken = np.empty((0, 2))
        self._labels = np.empty((0, 2))
        self._markers = np.empty((0, 2))

    def _to_points(self, data: Any) -> np.ndarray:
        return self.axes.transData.transform(np.asarray(data, dtype=np.float64).reshape(-1, 2)) * self._points_per_pixel

    def take_path(self, data: Any) -> None:
        """Keep labels off the line through these points, (n, 2) in data coordinates."""
        corners = self._to_points(data)
        parts = [_along(start, end) for start, end in itertools.pairwise(corners)]
        self._taken = np.vstack([self._taken, *parts])

    def take_markers(self, data: Any, radius: float) -> None:
        """Keep labels off markers of ``radius`` points around these points, (n, 2) in data coordinates."""
        turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        circle = np.vstack([np.zeros((1, 2)), radius * np.column_stack([np.cos(turns), np.sin(turns)])])
        centres = self._to_points(data)
        self._taken = np.vstack([self._taken, (centres[:, None] + circle).reshape(-1, 2)])
        self._markers = np.vstack([self._markers, centres])

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

    def place_at(
        self, label: str, at: tuple[float, float], gap: float, font_size: float, *, must: bool = False, **style: Any
    ) -> Annotation | None:
        """Write ``label`` for the marker ``at`` (data coordinates) where it cannot be taken for another marker's label.

        It stands ``gap`` points beside its marker if no other marker is as near, or else farther off with a leader. If
        it fits nowhere, it is written where it is least in the way if it ``must`` be there; otherwise None is returned.
        """
        half = np.array(self.size(label, font_size)) / 2
        beside = [spot for spot in self.around(label, at, gap, font_size) if self._is_nearest(spot, half)]
        found = self.place(label, beside, font_size, **style) if beside else None
        if found is not None:
            return found
        around = self._away(at, half)
        away = [spot for spot in around if self._leads(spot, half)]
        return self.place(label, away or (around if must else []), font_size, must=must, **style)

    def _away(self, at: tuple[float, float], half: np.ndarray) -> list[Spot]:
        """Places around a point with a leader, the nearest first."""
        spots = []
        for gap in (12.0, 18.0, 26.0, 36.0, 48.0):
            for turn in np.deg2rad(np.arange(0, 360, 22.5)):
                way = np.array([np.cos(turn), np.sin(turn)])
                # From the centre of the label to its edge, towards the point.
                edge = min(
                    size / abs(part) if abs(part) > 1e-9 else math.inf for size, part in zip(half, way, strict=True)
                )
                x, y = (gap + edge) * way
                spots.append(Spot(at, (float(x), float(y)), leader=True))
        return spots

    def _others(self, at: np.ndarray) -> np.ndarray:
        """The markers that do not stand at ``at`` (points)."""
        return self._markers[np.hypot(*(self._markers - at).T) > 0.5]

    def _is_nearest(self, spot: Spot, half: np.ndarray) -> bool:
        own = self._to_points(spot.at)[0]
        centre = own + spot.shift
        return bool(
            _distance(self._others(own), centre, half).min(initial=math.inf)
            >= _distance(own[None], centre, half)[0] + _CLEAR
        )

    def _leads(self, spot: Spot, half: np.ndarray) -> bool:
        """Whether the leader keeps clear of other markers and labels."""
        own = self._to_points(spot.at)[0]
        centre = own + spot.shift
        leader = _along(own, centre)
        leader = leader[_distance(leader, centre, half) > 0]
        others = np.vstack([self._others(own), self._labels])
        apart = np.hypot(*(leader[:, None] - others[None]).transpose(2, 0, 1))
        return bool(apart.min(initial=math.inf) >= _CLEAR)

    def place(
        self, label: str, spots: Iterable[Spot], font_size: float, *, must: bool = False, **style: Any
    ) -> Annotation | None:
        """Write ``label`` at the spot inside the panel with the most room around it, the first of equals.

        More than 6 points of room count as 6, less than 1 as none. If it fits nowhere, it is written where it is least
        in the way if it ``must`` be there; otherwise None is returned. ``style`` goes to the text. Labels are upright:
        a plus turned by 45 degrees looks like a times sign.
        """
        half = np.array(self.size(label, font_size)) / 2
        frame = np.array(self.axes.bbox.extents) * self._points_per_pixel
        found = []
        for spot in spots:
            centre = self._to_points(spot.at)[0] + spot.shift
            outside = np.maximum(frame[:2] - (centre - half), (centre + half) - frame[2:]).max()
            room = -outside if outside > 0 else _distance(self._taken, centre, half).min(initial=6.0)
            # Rounded, so that equals are equal.
            found.append((round(float(room), 1), spot, centre))
        if not found:
            return None
        room, spot, centre = max(found, key=lambda option: option[0])
        if room < 1 and not must:
            return None
        across = [np.linspace(-size, size, 2 + int(size)) for size in half]
        box = centre + np.stack(np.meshgrid(*across), axis=-1).reshape(-1, 2)
        self._labels = np.vstack([self._labels, box])
        self._taken = np.vstack([self._taken, box])
        leader: dict[str, Any] = {}
        if spot.leader:
            own = self._to_points(spot.at)[0]
            self._taken = np.vstack([self._taken, _along(own, centre)])
            colour = style.get("color", "0.2")
            line = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 1}
            # A white leader is drawn on colours; on white an outline would hide what the leader crosses.
            leader = {"arrowprops": line | ({"path_effects": style["path_effects"]} if colour == "white" else {})}
        return self.axes.annotate(
            label, spot.at, xytext=spot.shift, textcoords="offset points", ha="center", va="center",
            fontsize=font_size, **leader, **style,
        )  # fmt: skip


def _along(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Points, (n, 2), from ``start`` to ``end``, at most 2 apart."""
    return start + np.linspace(0, 1, 2 + int(np.hypot(*(end - start)) / 2))[:, None] * (end - start)


def _distance(points: np.ndarray, centre: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Distances, (n,), of ``points`` (n, 2) from a box; 0 inside."""
    return np.hypot(*np.maximum(np.abs(points - centre) - half, 0).T)

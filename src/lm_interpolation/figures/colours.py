"""Colour scales of planes, shared by the figures and the explorer.

A scale knows how wide the 95 % intervals of its values are. Where values differ by less than that, the scale is made
wider than their range, so that noise does not look like structure, and a note says so.
"""

import math
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm, Normalize, to_hex

from lm_interpolation.jobs.runtime import UserError

PLAIN, CENTRED = "viridis", "cividis"
"""Colour maps: of a scale, and of one with a centre. Both rise in lightness throughout: greyscale keeps their order."""

ABOVE = "#cccccc"
"""Colour of what lies above the limit of a scale: no colour of the maps. In greyscale it is the dots that tell."""

LEAST_INTERVALS = 2
"""A scale without a limit spans at least so many median intervals: two values that lie one interval apart, about where
their intervals stop overlapping, then differ by half of the colours at most."""


def colour_stops(name: str, count: int = 65) -> list[tuple[float, str]]:
    """``count`` evenly spaced stops (share of the scale, hex colour) of a colour map, for the explorer to draw it."""
    return [(float(share), to_hex(mpl.colormaps[name](float(share)))) for share in np.linspace(0, 1, count)]


@dataclass(frozen=True)
class ColourScale:
    """The colours of one panel: ``map`` from ``low`` to ``high``, of logarithms if ``log``.

    ``span`` is the range of the values and ``interval`` the median width of their 95 % intervals (None if no value has
    one). Both are differences, or ratios if ``log``. ``above`` says whether values lie above ``high``, the limit of the
    scale, and ``missing`` whether values are missing.
    """

    map: str
    low: float
    high: float
    log: bool
    centre: float | None
    span: float
    interval: float | None
    above: bool
    missing: bool

    @property
    def norm(self) -> Normalize:
        """The scale as a matplotlib norm."""
        return LogNorm(self.low, self.high) if self.log else Normalize(self.low, self.high)

    @property
    def bracket(self) -> tuple[float, float] | None:
        """The median interval around the middle of the scale, as shares of the scale."""
        if self.interval is None:
            return None
        share = self._length(self.interval) / self._length(self.high / self.low if self.log else self.high - self.low)
        return 0.5 - share / 2, 0.5 + share / 2

    @property
    def unresolved(self) -> bool:
        """Whether all values lie closer together than a median interval is wide."""
        return self.interval is not None and self.span < self.interval

    def describe_interval(self) -> str:
        """One line on the uncertainty of the values."""
        if self.interval is None:
            return "no intervals"
        told = f"bracket: median 95 % interval, {self._width(self.interval)}{'' if self.log else ' wide'}"
        return f"{told}; values span {self._width(self.span)}, within noise" if self.unresolved else told

    def _width(self, width: float) -> str:
        return f"a factor of {width:.3g}" if self.log else f"{width:.2g}"

    def _length(self, width: float) -> float:
        return math.log(width) if self.log else width


def colour_scale(
    data: pd.DataFrame, scale: str = "linear", limit: float | None = None, centre: float | None = None
) -> ColourScale:
    """The colour scale of ``data``: columns ``estimate`` (NaN: no value), ``low`` and ``high`` (NaN: no interval), and
    others that identify a point.

    ``scale`` is ``linear`` or ``log``. ``limit`` is where the scale ends if values lie above it; ``centre`` makes the
    scale reach equally far on both sides of it. A scale is widened to ``LEAST_INTERVALS`` median intervals, but not
    beyond its limit, and not below 0 if no value is.

    Raises ``UserError`` if no value can be drawn (log: no positive value), if a value is infinite, or if scale, limit
    and centre contradict each other.
    """
    log = scale == "log"
    if centre is not None and (log or limit is not None):
        raise UserError("centre goes with scale: linear and without a limit; remove one")
    known = data["estimate"].dropna().to_numpy(dtype=np.float64)
    if not len(known):
        raise UserError("no point has a value; leave that panel out")
    if np.isinf(known).any():
        where = data[np.isinf(data["estimate"])].iloc[0].drop(["estimate", "low", "high"]).to_dict()
        raise UserError(f"the value at {where} is infinite; leave that point out")
    least, most = float(known.min()), float(known.max())
    if log and least <= 0:
        raise UserError(f"{least:g} is not positive; use scale: linear")
    if limit is not None and limit <= least:
        raise UserError(f"limit {limit:g} is not above the smallest value, {least:g}; raise it")
    interval = _median_interval(data, log)
    above = limit is not None and most > limit
    low, high = least, float(limit) if limit is not None and above else most
    if centre is not None:
        half = max(most - centre, centre - least, LEAST_INTERVALS * (interval or 0) / 2)
        low, high = centre - half, centre + half
    elif interval is not None:
        low, high = _widened(low, high, interval, log, above)
        if not log and least >= 0:
            low, high = _not_negative(low, high, above)
    if low == high:
        # All values are equal and have no interval.
        low, high = (low / 1.1, high * 1.1) if log else (low - (abs(low) or 1) / 10, high + (abs(high) or 1) / 10)
    return ColourScale(
        CENTRED if centre is not None else PLAIN,
        low,
        high,
        log,
        centre,
        most / least if log else most - least,
        interval,
        above,
        bool(data["estimate"].isna().any()),
    )


def _median_interval(data: pd.DataFrame, log: bool) -> float | None:
    """Median width of the intervals, as a difference or a ratio; None if there are none."""
    ends = data.loc[data["estimate"].notna(), ["low", "high"]].to_numpy(dtype=np.float64)
    ends = ends[np.isfinite(ends).all(axis=1)]
    if log:
        ends = np.log(ends[(ends > 0).all(axis=1)])
    if not len(ends):
        return None
    width = float(np.median(ends[:, 1] - ends[:, 0]))
    return math.exp(width) if log else width


def _widened(low: float, high: float, interval: float, log: bool, limited: bool) -> tuple[float, float]:
    if log:
        one, two = _widened(math.log(low), math.log(high), math.log(interval), False, limited)
        # A scale that is not widened stays exact.
        return low if one == math.log(low) else math.exp(one), high if two == math.log(high) else math.exp(two)
    lacking = LEAST_INTERVALS * interval - (high - low)
    if lacking <= 0:
        return low, high
    return (low - lacking, high) if limited else (low - lacking / 2, high + lacking / 2)


def _not_negative(low: float, high: float, limited: bool) -> tuple[float, float]:
    """Shift a scale that begins below 0 to begin at 0; it keeps its length unless that would pass its limit."""
    return (0.0, high if limited else high - low) if low < 0 else (low, high)

"""Figure of fine-tuning from a centroid and from the base: paired losses, target by target."""

import textwrap
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

from lm_interpolation.figures.panels import panels_of
from lm_interpolation.figures.series import series_styles
from lm_interpolation.figures.start_data import losses_of
from lm_interpolation.figures.style import figure_style, figure_title, panel_grid
from lm_interpolation.statistics.paired_targets import Pairs, gains, interval

_LABELS = {"base": "from the base", "centroid": "from the centroid"}


def plot_start(
    tables: Sequence[pd.DataFrame],
    panels: Sequence[Mapping[str, Any]],
    statistic: str = "nll_token",
    seed: int = 0,
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Losses from the base and from the centroid, a row for each target, less the mean loss from the base.

    For ``tables`` and ``panels`` see ``start_data.losses_of``; a panel has a ``label`` too. Large dots are means over
    seeds, faint ones the seeds. The numbers on the right are the mean losses from the base, in nats. The lowest row is
    the mean over targets with its 95 % interval, which draws with ``seed``. Targets stand in the order of their mean
    gain over all panels. ``panel_width`` and ``panel_height`` are in inches, ``font_size`` is in points.

    Raises ``UserError`` if a table lacks a model.
    """
    found = [losses_of(tables, panel, statistic) for panel in panels]
    order = _order(panels, found)
    styles = dict(zip(_LABELS, series_styles(2), strict=True))
    with mpl.rc_context(figure_style(font_size)):
        deep, wide = panel_grid(len(panels), panel_width)
        figure = Figure(figsize=(panel_width * wide, panel_height * deep), layout="constrained")
        grid = panels_of(figure, len(panels), deep, wide, sharey=True)
        for axes, panel, pairs in zip(grid, panels, found, strict=True):
            names = [target["name"] for target in panel["targets"]]
            _draw(axes, [order.index(name) for name in names], pairs, len(order), styles, seed, font_size)
            axes.set_title(textwrap.fill(panel["label"], 40), loc="left", fontsize=font_size)
            axes.set_yticks([*range(len(order)), len(order) + 0.5], [*order, "mean"])
            axes.set_ylim(len(order) + 1, -0.75)
            per = "text" if statistic == "nll_text" else "token"
            axes.set_xlabel(f"loss less that from the base\n(nats per {per})")
            axes.xaxis.set_major_locator(ticker.MaxNLocator(nbins=5))
            sns.despine(ax=axes, left=True)
            axes.tick_params(axis="y", length=0)
        handles = [Line2D([], [], **(styles[key] | {"linestyle": ""})) for key in _LABELS]
        figure.legend(handles, list(_LABELS.values()), loc="outside lower center", ncols=2, frameon=False)
        if title:
            figure_title(figure, title, font_size + 2)
    return figure


def _order(panels: Sequence[Mapping[str, Any]], found: Sequence[Pairs]) -> list[str]:
    """Names of the targets, from the largest mean gain to the smallest; equal ones as they come."""
    by_name: dict[str, list[float]] = {}
    for panel, pairs in zip(panels, found, strict=True):
        for target, gain in zip(panel["targets"], gains(pairs), strict=True):
            by_name.setdefault(target["name"], []).append(float(gain))
    return sorted(by_name, key=lambda name: -float(np.mean(by_name[name])))


def _draw(
    axes: Axes,
    rows: Sequence[int],
    pairs: Pairs,
    count: int,
    styles: Mapping[str, dict[str, Any]],
    seed: int,
    font_size: float,
) -> None:
    axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    numbers: list[tuple[int, str]] = []
    for row, (base, centroid) in zip(rows, pairs, strict=True):
        origin = float(base.mean())
        axes.plot([0, float(centroid.mean()) - origin], [row, row], color="0.6", linewidth=1.2, zorder=1)
        for key, values in (("base", base), ("centroid", centroid)):
            style = styles[key] | {"linestyle": "", "markeredgewidth": 0}
            axes.plot(values - origin, np.full(len(values), row), **style, alpha=0.35, zorder=2)
            look = style | {"markersize": 1.6 * styles[key]["markersize"]}
            axes.plot([float(values.mean()) - origin], [row], **look, zorder=3)
        numbers.append((row, f"{origin:.2f}"))
    look = {"transform": axes.get_yaxis_transform(), "va": "center", "color": "0.45", "fontsize": font_size - 1.5}
    for place, text in [*numbers, (-1, "base")]:
        axes.text(1.01, place, text, **look)
    value, low, high = (-number for number in interval(pairs, seed))
    bottom, colour = count + 0.5, styles["centroid"]["color"]
    axes.plot([high, low], [bottom, bottom], color=colour, linewidth=1.5)
    axes.plot([value], [bottom], marker="D", color=colour, markersize=5, linestyle="")

"""Figure of a search of training settings (Tables 1 and 2 of arXiv 2211.12092)."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lm_interpolation.figures.naming import scaled_label
from lm_interpolation.figures.series import series_styles
from lm_interpolation.figures.style import figure_style, figure_title, log_ticks, panel_grid
from lm_interpolation.jobs.runtime import UserError

_CHOSEN: dict[str, Any] = {
    "linestyle": "", "marker": "o", "markersize": 10, "markerfacecolor": "none", "markeredgecolor": "0.1",
    "markeredgewidth": 1.2,
}  # fmt: skip
_CONFIGURED: dict[str, Any] = {
    "linestyle": "", "marker": "x", "markersize": 6.5, "markeredgecolor": "0.1", "markeredgewidth": 1.4,
}  # fmt: skip


def plot_search(
    tables: Sequence[pd.DataFrame],
    title: str | None = None,
    panel_width: float = 3.6,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Dev perplexity of every trial: a panel per batch size, a line per learning rate; each search begins a new row.

    ``tables``: see ``searches.search_table``. Both axes are logarithmic; the panels of a search share the vertical one.
    A ring labelled with the perplexity marks the chosen trial, a cross the configured one. Trials that diverged (no
    perplexity) are listed under their panel, and lines skip them. Sizes are in inches, ``font_size`` in points.

    Raises ``UserError`` if a search has no chosen trial with a perplexity, or if there are more learning rates than can
    be told apart.
    """
    for table in tables:
        if not (table["chosen"] & table["dev_perplexity"].notna()).any():
            raise UserError(f"searches.{table['search'].iloc[0]}: no trial is chosen; run the search again")
    rates = sorted({rate for table in tables for rate in table["learning_rate"]})
    styles = dict(zip(rates, series_styles(len(rates)), strict=True))
    shapes = [panel_grid(table["batch_size"].nunique(), panel_width) for table in tables]
    deep, wide = sum(rows for rows, _ in shapes), max(columns for _, columns in shapes)
    # A panel takes about 0.8 of its column, a character about 0.55 of the font size.
    wrap = max(16, int(0.8 * panel_width * 72 / (0.55 * font_size)))
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(panel_width * wide, panel_height * deep), layout="constrained")
        grid = iter(figure.subplots(deep, wide, squeeze=False))
        for table, (rows, columns) in zip(tables, shapes, strict=True):
            sizes = sorted(set(table["batch_size"]))
            block = [next(grid) for _ in range(rows)]
            panels = [axes for row in block for axes in row[:columns]]
            for axes in (*panels[len(sizes) :], *(axes for row in block for axes in row[columns:])):
                axes.remove()
            panels = panels[: len(sizes)]
            for axes, size in zip(panels, sizes, strict=True):
                if axes is not panels[0]:
                    axes.sharey(panels[0])
                axes.set_yscale("log")
                _draw(axes, table[table["batch_size"] == size], styles, wrap)
                name = (
                    f"{table['search'].iloc[0]}, batch size {size:,}" if axes is panels[0] else f"batch size {size:,}"
                )
                axes.set_title(name, loc="left", fontweight="bold")
                sns.despine(ax=axes)
            for index, axes in enumerate(panels):
                if index % columns:
                    axes.tick_params(labelleft=False)
                else:
                    axes.set_ylabel(scaled_label("dev perplexity", "log"))
            # Leave room for the label of the chosen trial, which is the lowest.
            low, high = panels[0].get_ylim()
            panels[0].set_ylim(bottom=low * (low / high) ** 0.2)
            log_ticks(panels[0])
        if title:
            figure_title(figure, title, font_size + 2)
        _legend(figure, tables, styles, font_size)
    return figure


def _draw(axes: Axes, part: pd.DataFrame, styles: Mapping[float, Mapping[str, Any]], wrap: int) -> None:
    """One panel: the trials of one batch size."""
    axes.set_xscale("log")
    known = part[part["dev_perplexity"].notna()].sort_values("steps")
    for rate, style in styles.items():
        line = known[known["learning_rate"] == rate]
        axes.plot(line["steps"], line["dev_perplexity"], **style)
    for flag, style in (("chosen", _CHOSEN), ("configured", _CONFIGURED)):
        marked = known[known[flag]]
        axes.plot(marked["steps"], marked["dev_perplexity"], zorder=4, **style)
    for steps, perplexity in known.loc[known["chosen"], ["steps", "dev_perplexity"]].itertuples(index=False):
        axes.annotate(
            f"{perplexity:.4g}", (steps, perplexity), xytext=(0, -7), textcoords="offset points", ha="center",
            va="top", fontweight="bold",
        )  # fmt: skip
    steps = sorted(set(part["steps"]))
    axes.set_xlim(steps[0] / 1.2, steps[-1] * 1.2)
    axes.xaxis.set_major_locator(ticker.FixedLocator(steps))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    lost = part[part["dev_perplexity"].isna()]
    diverged = []
    for rate in sorted(set(lost["learning_rate"])):
        counts = sorted(lost.loc[lost["learning_rate"] == rate, "steps"])
        diverged.append(f"{_rate(rate)} at {', '.join(f'{count:,}' for count in counts)}")
    note = textwrap.fill(f"(diverged: {'; '.join(diverged)} steps)", wrap) if diverged else ""
    axes.set_xlabel(f"{scaled_label('steps', 'log')}\n{note}".rstrip())


def _rate(rate: float) -> str:
    return f"{rate:g}".replace("e-0", "e-")


def _legend(
    figure: Figure, tables: Sequence[pd.DataFrame], styles: Mapping[float, Mapping[str, Any]], font_size: float
) -> None:
    handles = [Line2D([], [], label=f"learning rate {_rate(rate)}", **style) for rate, style in styles.items()]
    handles.append(Line2D([], [], label="chosen: lowest on dev", **_CHOSEN))
    if any(table["configured"].any() for table in tables):
        handles.append(Line2D([], [], label="configured", **_CONFIGURED))
    # A character takes about 0.55 of the font size, an entry about 8 characters beside its label.
    longest = 8 + max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, min(len(handles), int(figure.get_figwidth() * 72 / (0.55 * font_size * longest))))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)

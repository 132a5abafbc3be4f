"""Figure of next-token probabilities along a line of points (Fig. 4 of arXiv 2211.12092)."""

from collections.abc import Mapping
from typing import Literal

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib import font_manager, ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lm_interpolation.figures.naming import scaled_label
from lm_interpolation.figures.plot_labels import mark_coordinates
from lm_interpolation.figures.series import series_styles
from lm_interpolation.figures.style import figure_style, figure_title, log_ticks, panel_grid, power_of_ten
from lm_interpolation.jobs.runtime import UserError

_TITLES = {"rises": "Tokens that rise most", "falls": "Tokens that fall most"}


def plot_words(
    table: pd.DataFrame,
    scale: Literal["linear", "log"] = "linear",
    coordinate_labels: Mapping[str, str] | None = None,
    title: str | None = None,
    panel_width: float = 4.4,
    panel_height: float = 2.8,
    font_size: float = 9.0,
) -> Figure:
    """Probability of words and tokens over the coordinate of a line; one panel per group.

    ``table``: see ``next_tokens.next_token_probabilities``. The upper rows have one panel per group of words, in the
    table's order; the lower rows show the tokens that rise and the tokens that fall. Both take as many rows as the page
    width requires; empty groups are left out. Each legend lists the lines by their highest values. A word of several
    tokens is written ``heart·warming (2 tokens)``; its probability is the product of its tokens' probabilities. Spaces
    in tokens show as ``␣``, characters that the font lacks as ``\\uXXXX``. Dashed lines mark coordinate 0 and 1 where
    there is a point, with the name of the model if the point is a single model. Sizes are in inches, and a panel
    includes its legend; ``font_size`` is in points.

    Raises ``UserError`` if there is not exactly one coordinate, no group at all, or a probability of 0 on a log scale.
    """
    coordinate = _only_coordinate(table)
    rows = [
        [(kind, group) for group in dict.fromkeys(table.loc[table["kind"] == kind, "group"])]
        for kind in ("word", "token")
    ]
    rows = [row for row in rows if row]
    if not rows:
        raise UserError("the table has no group of words and no token that rises or falls; list words, or raise top")
    if scale == "log" and (table["probability"] <= 0).any():
        text = table.loc[table["probability"] <= 0, "text"].iloc[0]
        raise UserError(f"the probability of {text!r} is 0 at a point, which a log axis cannot show; use scale: linear")
    most = max(panel_grid(len(row), panel_width)[1] for row in rows)
    rows = [row[start : start + most] for row in rows for start in range(0, len(row), most)]
    with mpl.rc_context(figure_style(font_size)):
        figure = Figure(figsize=(panel_width * most, panel_height * len(rows)), layout="constrained")
        grid = figure.subplots(len(rows), most, squeeze=False)
        label = (coordinate_labels or {}).get(coordinate, coordinate)
        for row, groups in enumerate(rows):
            for axes in grid[row, len(groups) :]:
                axes.remove()
            for axes, (kind, group) in zip(grid[row], groups, strict=False):
                axes.set_yscale(scale)
                _draw(axes, table[(table["kind"] == kind) & (table["group"] == group)], coordinate, font_size - 1)
                heading = f"Words: {group}" if kind == "word" else _TITLES[group]
                axes.set_title(heading, loc="left", pad=1.8 * font_size, fontweight="bold")
                axes.set_xlabel(label)
                axes.xaxis.set_major_locator(ticker.MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
                axes.set_ylabel(scaled_label("probability", scale))
                if scale == "log":
                    log_ticks(axes)
                    if axes.get_ylim()[0] < 1e-3:
                        axes.yaxis.set_major_formatter(ticker.FuncFormatter(power_of_ten))
                else:
                    axes.set_ylim(bottom=0)
                sns.despine(ax=axes)
        if title:
            figure_title(figure, title, font_size + 2)
        figure.draw_without_rendering()
        for axes in figure.axes:
            mark_coordinates(axes, [(table, coordinate, label)], font_size - 1)
    return figure


def _only_coordinate(table: pd.DataFrame) -> str:
    columns = list(table.columns)
    coordinates = columns[columns.index("sweep") + 1 : columns.index("point")]
    if len(coordinates) != 1:
        raise UserError(f"words are drawn along a line, with one coordinate; this table has {coordinates}")
    return coordinates[0]


def _draw(axes: Axes, part: pd.DataFrame, coordinate: str, font_size: float) -> None:
    """One line per word or token of a group, and their legend."""
    entries = list(dict.fromkeys(zip(part["text"], part["pieces"], part["tokens"], strict=True)))
    handles = []
    for (text, pieces, tokens), style in zip(entries, series_styles(len(entries)), strict=True):
        # Grouped by pieces, since several tokens may have the same unprintable text.
        line = part[(part["text"] == text) & (part["pieces"] == pieces)].sort_values(coordinate)
        name = _name(text, pieces, tokens)
        handles += axes.plot(line[coordinate], line["probability"], label=name, **style)
    top = part.groupby(coordinate)["probability"].sum().idxmax()
    heights = list(part.loc[part[coordinate] == top, "probability"])
    order = sorted(range(len(entries)), key=lambda index: -heights[index])
    axes.legend(
        handles=[handles[index] for index in order],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        handlelength=2.4,
        handletextpad=0.5,
        fontsize=font_size,
    )


def _name(text: str, pieces: str, tokens: int) -> str:
    """What the figure calls a word or a token."""
    if "\ufffd" in text:
        # Part of a character: its text says nothing, but its name in the vocabulary is unique.
        return _visible(pieces)
    if tokens == 1:
        return _visible(text)
    # Without the vocabulary's mark of the space in front.
    parts = pieces.lstrip("Ġ▁").split("|")
    # Names of byte-level tokens are the text itself only for ASCII.
    shown = "·".join(parts) if "".join(parts) == text else text
    return f"{_visible(shown)}\n({tokens} tokens)"


def _visible(text: str) -> str:
    glyphs = font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap()
    return "".join(
        character if ord(character) in glyphs else f"\\u{ord(character):04x}" for character in text.replace(" ", "␣")
    )

"""The look of the series of a figure: each has its own colour, marker and dashes. Imports no package."""

from typing import Any

from lm_interpolation.jobs.runtime import UserError

# Seaborn's colour-blind palette without yellow and pink, which are hard to see on white, and without brown, which
# resembles orange; then black and three of Paul Tol's dark colours.
_PALETTE = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#56b4e9", "#949494")
COLOURS = (*_PALETTE, "#1a1a1a", "#332288", "#999933", "#882255")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))

MOST = 33
"""Series that a figure can tell apart. The numbers of markers and dashes have no divisor in common, so that 36 lines
differ in greyscale, too; nor have those of colours and fillings, so that 33 kinds of points differ."""

FILLINGS = 3
"""Ways to fill a marker, for points without a line."""


def too_many(count: int) -> str | None:
    """What is wrong with this many series in one figure; None if nothing is."""
    if count <= MOST:
        return None
    return f"{count} series in one figure cannot be told apart; draw at most {MOST}, in several figures"


def check_count(count: int) -> None:
    """Raise ``UserError`` if there are more than ``MOST`` series."""
    words = too_many(count)
    if words is not None:
        raise UserError(words)


def series_styles(count: int) -> list[dict[str, Any]]:
    """Colour, marker and dashes of ``count`` lines as options of ``Axes.plot``; no two share both marker and dashes.

    Colours repeat after eleven. Raises ``UserError`` for more than ``MOST`` series.
    """
    check_count(count)
    return [
        {
            "color": COLOURS[index % len(COLOURS)],
            "marker": MARKERS[index % len(MARKERS)],
            "linestyle": DASHES[index % len(DASHES)],
            "markersize": 3.5,
            "markeredgewidth": 0,
            "linewidth": 1.3,
        }
        for index in range(count)
    ]

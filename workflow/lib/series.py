"""How the series of a figure look: each has its own colour, marker and dashes."""

from typing import Any

import seaborn as sns
from matplotlib.colors import to_rgb

from workflow.lib.runtime import UserError

# Seaborn's colour-blind palette without yellow and pink, which are hard to see on white, and brown, which resembles
# orange; then black and three dark ones of Paul Tol's.
COLOURS = [
    *(sns.color_palette("colorblind")[index] for index in (0, 1, 2, 3, 4, 9, 7)),
    *map(to_rgb, ("#1a1a1a", "#332288", "#999933", "#882255")),
]
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))

MOST = 36
"""Series that a figure can tell apart in greyscale, too: 9 markers and 4 dashes have no common divisor."""


def series_styles(count: int) -> list[dict[str, Any]]:
    """Colour, marker and dashes of ``count`` lines, as options of ``Axes.plot``; no two have equal marker and dashes.

    Colours repeat after eleven. Raises ``UserError`` for more than ``MOST`` series.
    """
    if count > MOST:
        raise UserError(f"{count} series in one figure cannot be told apart; draw at most {MOST}, in several figures")
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

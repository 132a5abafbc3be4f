"""What all figures share: their look, the size of panels, ticks on log axes, and how they are saved."""

import math
import os
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lm_interpolation.jobs.runtime import Job, atomic_path

PAGE_WIDTH = 11.0
"""Width in inches of a landscape page: panels side by side take at most this, unless a figure sets their number."""

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def figure_style(font_size: float) -> dict[str, Any]:
    """The look of all figures as matplotlib settings, for ``mpl.rc_context``; ``font_size`` in points."""
    sizes = ("font.size", "axes.labelsize", "axes.titlesize", "legend.fontsize", "xtick.labelsize", "ytick.labelsize")
    # Text by people and by models is shown literally: $ starts no formula.
    plain = {"text.parse_math": False}
    return sns.axes_style("ticks") | sns.plotting_context("paper") | dict.fromkeys(sizes, font_size) | plain


def figure_title(figure: Figure, title: str, font_size: float) -> None:
    """Write ``title`` above all panels, wrapped to the width of the figure; ``font_size`` in points."""
    # A character is about 0.55 of the font size wide.
    wrap = max(16, int(figure.get_figwidth() * 72 / (0.55 * font_size)))
    figure.suptitle(textwrap.fill(title, wrap), fontsize=font_size)


def panel_grid(count: int, panel_width: float, columns: int | None = None) -> tuple[int, int]:
    """Rows and columns of ``count`` panels of ``panel_width`` inches.

    By default the grid is no wider than a page, and its rows are as equal as possible.
    """
    if columns is None:
        most = max(1, int(PAGE_WIDTH / panel_width))
        columns = math.ceil(count / math.ceil(count / most))
    wide = min(columns, count)
    return math.ceil(count / wide), wide


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


def cell_edges(centres: np.ndarray) -> np.ndarray:
    """Edges of cells, (n + 1,): halfway between neighbours, and equally far outside the first and the last."""
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def power_of_ten(value: float, _: object = None) -> str:
    """``10⁻³`` or ``3 × 10⁶``: a tick on a log axis."""
    digits, exponent = f"{value:.6e}".split("e")
    factor = "" if float(digits) == 1 else f"{float(digits):g} × "
    return f"{factor}10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def draw(job: Job, look: Mapping[str, Any], plot: Callable[..., Figure], *data: Any, **options: Any) -> None:
    """Save the figure of a job: call ``plot`` on ``data`` with ``options`` and the ``look`` that every figure has.

    ``look`` holds ``title`` (None: none), ``panel_width`` and ``panel_height`` in inches, and ``dpi``, dots per inch.
    """
    common = {key: look[key] for key in ("title", "panel_width", "panel_height")}
    save_figure(plot(*data, **options, **common), job.output.png, job.output.pdf, look["dpi"])


def save_figure(figure: Figure, png: str | os.PathLike[str], pdf: str | os.PathLike[str], dpi: int) -> None:
    """Save as PNG (``dpi`` dots per inch) and as PDF with TrueType fonts, atomically.

    The files contain no date and no version, so equal figures give equal bytes.
    """
    with mpl.rc_context({"pdf.fonttype": 42}):
        with atomic_path(png) as scratch:
            figure.savefig(scratch, format="png", dpi=dpi, metadata={"Software": None})
        with atomic_path(pdf) as scratch:
            figure.savefig(scratch, format="pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None})

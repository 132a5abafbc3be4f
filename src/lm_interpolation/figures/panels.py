"""The panels of a figure in a grid."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def panels_of(figure: Figure, count: int, deep: int, wide: int, **options: Any) -> list[Axes]:
    """``count`` panels, row by row, in a grid of ``deep`` rows and ``wide`` columns, whose last cells may stay empty.

    ``options`` are those of ``Figure.subplots``.
    """
    grid = figure.subplots(deep, wide, squeeze=False, **options).ravel()
    for unused in grid[count:]:
        unused.remove()
    return list(grid[:count])

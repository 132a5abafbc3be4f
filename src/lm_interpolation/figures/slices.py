"""A table of a plane, cut into tables of lines: one for each value of one of the two coordinates."""

import pandas as pd

from lm_interpolation.tables.tables import coordinate_columns


def slices(table: pd.DataFrame, prompts: str, along: str) -> tuple[str, dict[float, pd.DataFrame]]:
    """The other coordinate's name, and its values, ascending, each with a sweep table of the coordinate ``along`` only.

    ``table`` is the sweep table of a plane; only the rows of the prompt set count. A value with a single point, that of
    an anchor beside the grid, is no line and is left out.
    """
    (across,) = (name for name in coordinate_columns(table) if name != along)
    rows = table[table["prompts"] == prompts]
    found = {}
    for value in sorted(rows[across].unique()):
        part = rows[rows[across] == value]
        if part[along].nunique() > 1:
            found[float(value)] = part.drop(columns=across).assign(sweep=f"{across}={value:g}")
    return across, found

"""What a figure of regions shows, from the tables of analyses of that kind."""

import pandas as pd

from lm_interpolation.analyses.region_tables import ALL, BASE
from lm_interpolation.figures.phrases import Value


def excess_over_base(table: pd.DataFrame) -> pd.DataFrame:
    """The losses with a column ``excess``: minus that of the base on the same data set, since these differ."""
    base = table[table["kind"] == BASE].drop_duplicates("data").set_index("data")["loss"]
    return table.assign(excess=table["loss"] - table["data"].map(base))


def pooled(comparison: pd.DataFrame) -> dict[str, Value]:
    """Pair to PB over all groups, or of the only one."""
    groups = comparison["group"].unique()
    rows = comparison[comparison["group"] == (ALL if len(groups) > 1 else groups[0])]
    return {row["pair"]: Value(row["pb"], row["low"], row["high"]) for row in rows.to_dict("records")}

"""Figure of the norms of weight differences, as PNG and PDF (Fig. 9 of the paper)."""

from typing import Any

import pandas as pd

from workflow.lib.plot_norms import plot_norms
from workflow.lib.plots import draw
from workflow.lib.runtime import run_job


def main(snakemake: Any) -> None:
    draw(
        snakemake,
        plot_norms,
        # A pair or a model may well be called "null"; only a layer may be missing.
        pd.read_csv(
            snakemake.input.table,
            keep_default_na=False,
            na_values={"layer": [""]},
            dtype={"pair": str, "layer": "Int64"},
        ),
    )


if __name__ == "__main__":
    run_job(main, snakemake)

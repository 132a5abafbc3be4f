"""Figure of the norms of weight differences, as PNG and PDF (Fig. 9 of the paper)."""

from typing import Any

from workflow.lib.analysis_tables import read_norms
from workflow.lib.plot_norms import plot_norms
from workflow.lib.plots import draw
from workflow.lib.runtime import run_job


def main(snakemake: Any) -> None:
    draw(
        snakemake,
        plot_norms,
        read_norms(snakemake.input.table),
    )


if __name__ == "__main__":
    run_job(main, snakemake)

"""Figure of barriers of perplexity and loss, as PNG and PDF."""

from typing import Any

from workflow.lib.analysis_tables import read_barriers
from workflow.lib.plot_barrier import plot_barrier
from workflow.lib.plots import draw
from workflow.lib.runtime import run_job


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings["figure"]
    draw(
        snakemake,
        plot_barrier,
        read_barriers(snakemake.input.table),
        sweep_labels=settings["sweep_labels"],
        coordinate_labels=settings["coordinate_labels"],
    )


if __name__ == "__main__":
    run_job(main, snakemake)

"""Figure of barriers of perplexity and loss, as PNG and PDF."""

from typing import Any

from lm_interpolation.figures.plot_barrier import plot_barrier
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.tables.analysis_tables import read_barriers


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

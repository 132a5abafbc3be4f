"""Figure of barriers of perplexity and loss, as PNG and PDF."""

from typing import Any

from lm_interpolation.figures.plot_barrier import plot_barrier
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.tables.analysis_tables import read_barriers


def main(job: Job, *, figure: dict[str, Any]) -> None:
    draw(
        job,
        figure,
        plot_barrier,
        read_barriers(job.input.table),
        sweep_labels=figure["sweep_labels"],
        coordinate_labels=figure["coordinate_labels"],
    )


if __name__ == "__main__":
    run_job(main, snakemake)

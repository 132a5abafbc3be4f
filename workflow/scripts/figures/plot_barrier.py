"""Figure of barriers of perplexity and loss, as PNG and PDF."""

from typing import Any

from lm_interpolation.figures.plot_barrier import plot_barrier
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.tables.analysis_tables import read_barriers


def main(job: Job, *, look: dict[str, Any], sweep_labels: dict[str, str], coordinate_labels: dict[str, str]) -> None:
    table = read_barriers(job.input.table)
    draw(job, look, plot_barrier, table, sweep_labels=sweep_labels, coordinate_labels=coordinate_labels)


if __name__ == "__main__":
    run_job(main, snakemake)

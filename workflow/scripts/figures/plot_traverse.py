"""Figure of losses between and beyond models, as PNG and PDF."""

from typing import Any

from lm_interpolation.analyses.traverse_tables import read_traverse
from lm_interpolation.figures.plot_traverse import plot_traverse
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, look: dict[str, Any]) -> None:
    draw(job, look, plot_traverse, read_traverse(job.input.table))


if __name__ == "__main__":
    run_job(main, snakemake)

"""Figure of the norms of weight differences, as PNG and PDF (Fig. 9 of the paper)."""

from typing import Any

from lm_interpolation.figures.plot_norms import plot_norms
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.tables.analysis_tables import read_norms


def main(job: Job, *, look: dict[str, Any]) -> None:
    draw(job, look, plot_norms, read_norms(job.input.table))


if __name__ == "__main__":
    run_job(main, snakemake)

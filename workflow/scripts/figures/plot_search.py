"""Figure of searches of training settings, as PNG and PDF (Tables 1 and 2 of the paper)."""

from typing import Any

from lm_interpolation.figures.plot_search import plot_search
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.tables.tables import read_table


def main(job: Job, *, look: dict[str, Any]) -> None:
    draw(job, look, plot_search, [read_table(path, ["dev_loss", "dev_perplexity"]) for path in job.input.tables])


if __name__ == "__main__":
    run_job(main, snakemake)

"""Figure of the points of regions, as PNG and PDF."""

from typing import Any

from lm_interpolation.analyses.region_tables import read_region, read_superiority
from lm_interpolation.figures.plot_region import plot_region
from lm_interpolation.figures.style import draw
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, look: dict[str, Any], levels: list[str]) -> None:
    tables = [read_region(path) for path in job.input.losses]
    comparisons = [read_superiority(path) for path in job.input.comparisons]
    draw(job, look, plot_region, tables, comparisons, levels=levels)


if __name__ == "__main__":
    run_job(main, snakemake)

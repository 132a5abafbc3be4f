"""The tidy table of the losses over a sweep: means per class with bootstrap intervals at every point."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.loss_files import read_losses
from lm_interpolation.analyses.loss_tables import loss_table
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.points.algebra import sweep_from_settings
from lm_interpolation.tables.tables import write_table


def main(job: Job, *, sweep: dict[str, Any], bootstrap: dict[str, Any]) -> None:
    losses = read_losses(Path(job.input.losses))
    table = loss_table(losses, sweep_from_settings(sweep), **bootstrap)
    write_table(table, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

"""The tidy table of the losses of named models: means per class with bootstrap intervals."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.loss_files import read_losses
from lm_interpolation.analyses.model_loss_tables import model_loss_table
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.tables.tables import write_table


def main(job: Job, *, models: list[str], bootstrap: dict[str, Any]) -> None:
    losses = read_losses(Path(job.input.losses))
    write_table(model_loss_table(losses, models, **bootstrap), Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

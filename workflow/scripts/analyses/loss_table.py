"""The tidy table of the losses over a sweep: means per class with bootstrap intervals at every point."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.loss_files import read_losses
from lm_interpolation.analyses.loss_tables import loss_table
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.points.algebra import sweep_from_settings
from lm_interpolation.tables.tables import write_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings
    losses = read_losses(Path(snakemake.input.losses))
    table = loss_table(losses, sweep_from_settings(settings["sweep"]), **settings["bootstrap"])
    write_table(table, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

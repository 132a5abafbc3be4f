"""The tidy table of the losses over a sweep: means per class with bootstrap intervals at every point."""

from pathlib import Path
from typing import Any

from workflow.lib.losses import loss_table, read_losses
from workflow.lib.points import sweep_from_settings
from workflow.lib.runtime import run_job
from workflow.lib.tables import write_table


def main(snakemake: Any) -> None:
    settings = snakemake.params.settings
    losses = read_losses(Path(snakemake.input.losses))
    table = loss_table(losses, sweep_from_settings(settings["sweep"]), **settings["bootstrap"])
    write_table(table, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

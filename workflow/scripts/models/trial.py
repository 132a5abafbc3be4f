"""One trial of a hyper-parameter search: train, and keep only the loss on dev after given numbers of steps."""

from typing import Any

from lm_interpolation.jobs.runtime import error_prefix, run_job
from lm_interpolation.models.distributed import run_training


def main(snakemake: Any) -> None:
    search, trial = snakemake.wildcards.search, snakemake.wildcards.trial
    with error_prefix(f"searches.{search}, trial {trial}"):
        run_training(snakemake, label=f"{search} {trial}", checkpoints=snakemake.params.settings["checkpoints"])


if __name__ == "__main__":
    run_job(main, snakemake)

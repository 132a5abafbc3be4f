"""Train one causal language model, from random weights or from another model of the study."""

from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.models.distributed import run_training


def main(snakemake: Any) -> None:
    run_training(snakemake, output=Path(snakemake.output.model))


if __name__ == "__main__":
    run_job(main, snakemake)

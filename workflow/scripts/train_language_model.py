"""Train one causal language model, from random weights or from another model of the study."""

from pathlib import Path
from typing import Any

from workflow.lib.distributed import run_training
from workflow.lib.runtime import run_job


def main(snakemake: Any) -> None:
    run_training(snakemake, output=Path(snakemake.output.model))


if __name__ == "__main__":
    run_job(main, snakemake)

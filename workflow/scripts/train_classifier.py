"""Train one sequence classifier and measure its accuracy on held-out texts."""

from pathlib import Path
from typing import Any

from workflow.lib.corpora import read_labelled_split
from workflow.lib.jobs import training_arguments
from workflow.lib.runtime import run_job
from workflow.lib.training import train_classifier


def main(snakemake: Any) -> None:
    splits = {split: read_labelled_split(Path(snakemake.input[split])) for split in ("train", "dev", "test")}
    train_classifier(splits=splits, output=Path(snakemake.output.model), **training_arguments(snakemake))


if __name__ == "__main__":
    run_job(main, snakemake)

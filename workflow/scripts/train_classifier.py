"""Train one sequence classifier and measure its accuracy on held-out texts."""

from pathlib import Path
from typing import Any

from workflow.lib.corpora import read_labelled_split
from workflow.lib.finished import publish
from workflow.lib.jobs import training_arguments
from workflow.lib.runtime import run_job
from workflow.lib.training import train_classifier


def main(snakemake: Any) -> None:
    arguments = training_arguments(snakemake) | {"output": Path(snakemake.output.model)}
    if publish(arguments["scratch"], {name: arguments[name] for name in ("output", "loss_curve", "metrics")}):
        return
    splits = {split: read_labelled_split(Path(snakemake.input[split])) for split in ("train", "dev", "test")}
    train_classifier(splits=splits, **arguments)


if __name__ == "__main__":
    run_job(main, snakemake)

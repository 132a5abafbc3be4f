"""Train one sequence classifier and measure its accuracy on held-out texts."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import read_labelled_split
from lm_interpolation.jobs.finished import publish
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.jobs.training_job import training_arguments
from lm_interpolation.models.classifier_training import train_classifier


def main(snakemake: Any) -> None:
    arguments = training_arguments(snakemake) | {"output": Path(snakemake.output.model)}
    if publish(arguments["scratch"], {name: arguments[name] for name in ("output", "loss_curve", "metrics")}):
        return
    splits = {split: read_labelled_split(Path(snakemake.input[split])) for split in ("train", "dev", "test")}
    train_classifier(splits=splits, **arguments)


if __name__ == "__main__":
    run_job(main, snakemake)

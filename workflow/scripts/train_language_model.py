"""Train one causal language model, from random weights or from another model of the study."""

from pathlib import Path
from typing import Any

from workflow.lib.corpora import read_corpus_split
from workflow.lib.jobs import training_arguments
from workflow.lib.runtime import run_job
from workflow.lib.training import train_language_model


def main(snakemake: Any) -> None:
    label = snakemake.params.settings["model"]["data"].get("class")
    train_language_model(
        train=read_corpus_split(Path(snakemake.input.train), label),
        dev=read_corpus_split(Path(snakemake.input.dev), label),
        **training_arguments(snakemake),
    )


if __name__ == "__main__":
    run_job(main, snakemake)

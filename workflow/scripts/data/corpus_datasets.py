"""Make a corpus from a dataset that datasets.load_dataset reads."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.sources.datasets import load_datasets
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, corpus: dict[str, Any]) -> None:
    splits = load_datasets(corpus, job.wildcards.corpus, job.input.files)
    write_corpus(splits, {split: Path(job.output[split]) for split in splits})


if __name__ == "__main__":
    run_job(main, snakemake)

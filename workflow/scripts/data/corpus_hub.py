"""Make a corpus from files of a dataset on the Hugging Face hub."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.sources.hub import load_hub
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, hub_lock: str | None, *, corpus: dict[str, Any]) -> None:
    splits = load_hub(corpus, job.wildcards.corpus, hub_lock)
    write_corpus(splits, {split: Path(job.output[split]) for split in splits})


if __name__ == "__main__":
    run_job(main, snakemake)

"""Make a corpus from generated reviews by topic."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.sources.topics import load_topics
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, corpus: dict[str, Any]) -> None:
    splits = load_topics(corpus, job.wildcards.corpus)
    write_corpus(splits, {split: Path(job.output[split]) for split in splits})


if __name__ == "__main__":
    run_job(main, snakemake)

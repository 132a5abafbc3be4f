"""Make a corpus of plain text with one text per file."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.sources.documents import load_documents
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, corpus: dict[str, Any], documents: str) -> None:
    # By ``documents``, a digest of their names and sizes, Snakemake notices that they have changed.
    splits = load_documents(corpus, job.wildcards.corpus)
    write_corpus(splits, {split: Path(job.output[split]) for split in splits})


if __name__ == "__main__":
    run_job(main, snakemake)

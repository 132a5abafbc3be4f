"""Make a corpus from plain text with one text per file."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.sources.documents import load_documents
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, corpus: dict[str, Any], documents: str) -> None:
    # Snakemake notices changes by ``documents``, a digest of the files' names and sizes.
    splits = load_documents(corpus, job.wildcards.corpus)
    write_corpus(splits, {split: Path(job.output[split]) for split in splits})


if __name__ == "__main__":
    run_job(main, snakemake)

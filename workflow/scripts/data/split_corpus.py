"""Make a corpus that is declared as a share of another corpus."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.data.sources.split import load_share
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, corpus: dict[str, Any]) -> None:
    parent = {split: job.input[split] for split in SPLITS}
    splits = load_share(corpus, job.wildcards.corpus, parent)
    write_corpus(splits, {split: Path(job.output[split]) for split in splits})


if __name__ == "__main__":
    run_job(main, snakemake)

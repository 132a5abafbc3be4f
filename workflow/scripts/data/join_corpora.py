"""Make a corpus whose classes are other corpora."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.data.sources.join import load_joined
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, corpus: dict[str, Any]) -> None:
    parents = {split: job.input[split] for split in SPLITS}
    splits = load_joined(corpus, job.wildcards.corpus, parents)
    write_corpus(splits, {split: Path(job.output[split]) for split in splits})


if __name__ == "__main__":
    run_job(main, snakemake)

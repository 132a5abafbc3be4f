"""Turn one declared source into train, dev and test splits of labelled texts."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import load_corpus, write_corpus
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, hub_lock: str | None, *, corpus: dict[str, Any], documents: str | None) -> None:
    spec = {**corpus, "replace": dict(corpus["replace"])}
    splits = load_corpus(spec, job.wildcards.corpus, hub_lock)
    write_corpus(splits, {split: Path(job.output[split]) for split in splits})


if __name__ == "__main__":
    run_job(main, snakemake)

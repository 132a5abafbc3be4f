"""List the files of a streamed corpus, and make its dev split."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.sources.stream import load_stream
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, hub_lock: str | None, *, corpus: dict[str, Any]) -> None:
    stream, dev = load_stream(corpus, job.wildcards.corpus, hub_lock)
    write_corpus({"dev": dev}, {"dev": Path(job.output.dev)})
    stream.write(job.output.stream)


if __name__ == "__main__":
    run_job(main, snakemake)

"""The files that a streamed corpus consists of, and its dev split."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.sources.stream import load_stream
from lm_interpolation.jobs.runtime import run_job


def main(snakemake: Any) -> None:
    spec = snakemake.params.settings["corpus"]
    stream, dev = load_stream(spec, snakemake.wildcards.corpus, snakemake.config.get("hub_lock"))
    write_corpus({"dev": dev}, {"dev": Path(snakemake.output.dev)})
    stream.write(snakemake.output.stream)


if __name__ == "__main__":
    run_job(main, snakemake)

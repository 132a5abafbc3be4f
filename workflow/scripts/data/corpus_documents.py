"""Make a corpus of plain text with one text per file."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import write_corpus
from lm_interpolation.data.sources.documents import load_documents
from lm_interpolation.jobs.runtime import run_job


def main(snakemake: Any) -> None:
    splits = load_documents(snakemake.params.settings["corpus"], snakemake.wildcards.corpus)
    write_corpus(splits, {split: Path(snakemake.output[split]) for split in splits})


if __name__ == "__main__":
    run_job(main, snakemake)

"""Train one byte-level BPE tokenizer on the training texts of a corpus."""

from pathlib import Path
from typing import Any

from workflow.lib.corpora import read_corpus_split
from workflow.lib.runtime import run_job
from workflow.lib.training import train_tokenizer


def main(snakemake: Any) -> None:
    texts = read_corpus_split(Path(snakemake.input.corpus))
    train_tokenizer(texts, snakemake.params.settings["vocab_size"], Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

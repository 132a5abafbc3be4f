"""Train one byte-level BPE tokenizer on the training texts of a corpus."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import read_corpus_split
from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.models.tokenizer_training import train_tokenizer


def main(snakemake: Any) -> None:
    texts = read_corpus_split(Path(snakemake.input.corpus))
    train_tokenizer(texts, snakemake.params.settings["vocab_size"], Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

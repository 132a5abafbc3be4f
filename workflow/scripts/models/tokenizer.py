"""Train one byte-level BPE tokenizer on the training texts of a corpus."""

from pathlib import Path

from lm_interpolation.data.corpora import read_corpus_split
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.models.tokenizer_training import train_tokenizer


def main(job: Job, *, vocab_size: int) -> None:
    texts = read_corpus_split(Path(job.input.corpus))
    train_tokenizer(texts, vocab_size, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

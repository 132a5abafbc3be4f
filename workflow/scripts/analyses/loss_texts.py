"""The texts of a corpus to measure the loss on, as far as the models of the sweep can read them."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.loss_files import write_loss_texts
from lm_interpolation.data.corpora import read_corpus_split
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.texts.lengths import fit_for_loss, open_readers


def main(job: Job, *, classes: list[str], limit: int | None, too_long: str, readers: list[dict[str, Any]]) -> None:
    corpus = Path(job.input.corpus)
    tokenizers = open_readers(readers, job.input.tokenizers)
    texts = {}
    # Without classes all texts form one class without a name.
    for name in classes or [""]:
        members = read_corpus_split(corpus, name or None)[:limit]
        key = f"analyses.{job.wildcards.analysis}" + (f", class {name}" if name else "")
        places = [f"text {index} of {corpus}" for index in range(len(members))]
        texts[name] = fit_for_loss(members, tokenizers, too_long, key, places)[1]
    write_loss_texts(texts, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

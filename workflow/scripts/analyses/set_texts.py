"""The texts of several data sets to measure losses on, as far as the models can read them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lm_interpolation.analyses.set_texts import Texts, write_set_texts
from lm_interpolation.data.corpora import read_corpus_split, read_labelled_split
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.texts.lengths import fit_for_loss, open_readers


def main(
    job: Job,
    *,
    sets: list[dict[str, Any]],
    splits: list[list[Any]],
    labelled: bool,
    too_long: str,
    readers: list[dict[str, Any]],
) -> None:
    tokenizers = open_readers(readers, job.input.tokenizers)
    corpora = iter(job.input.corpora)

    def taken() -> Iterator[tuple[str, str, Texts]]:
        for one in sets:
            for split, limit in splits:
                corpus = Path(next(corpora))
                texts, labels = _read(corpus, one["class"], labelled)
                texts, labels = texts[:limit], labels[:limit]
                places = [f"text {index} of {corpus}" for index in range(len(texts))]
                key = f"analyses.{job.wildcards.analysis}, set {one['name']}"
                kept, texts = fit_for_loss(texts, tokenizers, too_long, key, places)
                yield one["name"], split, Texts(texts, [labels[index] for index in kept])

    write_set_texts(taken(), Path(job.output[0]))


def _read(corpus: Path, class_name: str | None, labelled: bool) -> tuple[list[str], list[str | None]]:
    if labelled:
        texts, labels = read_labelled_split(corpus)
        return texts, list(labels)
    texts = read_corpus_split(corpus, class_name)
    return texts, [None] * len(texts)


if __name__ == "__main__":
    run_job(main, snakemake)

"""The texts of a corpus whose loss is taken, as far as the models of the sweep can read them."""

from pathlib import Path
from typing import Any

from workflow.lib.corpora import read_corpus_split
from workflow.lib.lengths import fit, open_readers
from workflow.lib.losses import write_loss_texts
from workflow.lib.runtime import run_job


def main(snakemake: Any) -> None:
    settings, corpus = snakemake.params.settings, Path(snakemake.input.corpus)
    readers = open_readers(settings["readers"], snakemake.input.tokenizers)
    texts = {}
    # Without classes all texts are one, which has no name.
    for name in settings["classes"] or [""]:
        members = read_corpus_split(corpus, name or None)[: settings["limit"]]
        key = f"analyses.{snakemake.wildcards.analysis}" + (f", class {name}" if name else "")
        places = [f"text {index} of {corpus}" for index in range(len(members))]
        texts[name] = fit(members, readers, settings["too_long"], key, places)[1]
    write_loss_texts(texts, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

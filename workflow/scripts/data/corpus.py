"""Turn one declared source into train, dev and test splits of labelled texts."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import load_corpus, write_corpus
from lm_interpolation.jobs.runtime import run_job


def main(snakemake: Any) -> None:
    spec = snakemake.params.settings["corpus"]
    spec = {**spec, "replace": dict(spec["replace"])}
    splits = load_corpus(spec, snakemake.wildcards.corpus, snakemake.config.get("hub_lock"))
    write_corpus(splits, {split: Path(snakemake.output[split]) for split in splits})


if __name__ == "__main__":
    run_job(main, snakemake)

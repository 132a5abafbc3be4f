"""Sample the continuations of every prompt at one point."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Progress, run_job
from lm_interpolation.texts.generation import Sampling, generate, write_texts


def main(snakemake: Any) -> None:
    prepare_job(snakemake)
    prompts = read_parquet(snakemake.input.prompts).to_pandas()
    sampling = Sampling(**snakemake.params.settings["sampling"])
    texts = generate(
        Path(snakemake.input.model),
        prompts,
        sampling,
        batch_size=snakemake.config["compute"]["batch_size"]["generate"],
        device=snakemake.config["device"],
        progress=Progress(f"generate {snakemake.wildcards.point}", len(prompts) * sampling.samples, "texts"),
        precision=snakemake.params.settings["precision"],
    )
    write_texts(texts, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

"""Sample the continuations of every prompt at one point."""

from pathlib import Path
from typing import Any

import pandas as pd

from workflow.lib.compute import prepare_torch
from workflow.lib.generation import Sampling, generate, write_texts
from workflow.lib.runtime import Progress, run_job


def main(snakemake: Any) -> None:
    prepare_torch(snakemake.threads)
    prompts = pd.read_parquet(snakemake.input.prompts)
    sampling = Sampling(**snakemake.params.settings["sampling"])
    texts = generate(
        Path(snakemake.input.model),
        prompts,
        sampling,
        batch_size=snakemake.config["compute"]["batch_size"]["generate"],
        device=snakemake.config["device"],
        progress=Progress(f"generate {snakemake.wildcards.point}", len(prompts) * sampling.samples, "texts"),
    )
    write_texts(texts, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

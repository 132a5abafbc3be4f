"""Sample the continuations of every prompt at one point in logit space: from an ensemble of its models."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Progress, run_job
from lm_interpolation.points.algebra import Point
from lm_interpolation.texts.ensembles import generate_ensemble
from lm_interpolation.texts.generation import Sampling, write_texts


def main(snakemake: Any) -> None:
    prepare_job(snakemake)
    settings = snakemake.params.settings
    prompts = read_parquet(snakemake.input.prompts).to_pandas()
    sampling = Sampling(**settings["sampling"])
    texts = generate_ensemble(
        Point.parse(snakemake.wildcards.point),
        dict(zip(settings["models"], map(Path, snakemake.input.models), strict=True)),
        prompts,
        sampling,
        settings["nucleus"],
        batch_size=snakemake.config["compute"]["batch_size"]["generate"],
        device=snakemake.config["device"],
        progress=Progress(f"generate {snakemake.wildcards.point}", len(prompts) * sampling.samples, "texts"),
        precision=settings["precision"],
    )
    write_texts(texts, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

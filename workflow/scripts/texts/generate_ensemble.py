"""Sample the continuations of every prompt at one point in logit space: from an ensemble of its models."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.points.algebra import Point
from lm_interpolation.texts.ensembles import generate_ensemble
from lm_interpolation.texts.generation import Sampling, write_texts


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    batch_size: int,
    *,
    sampling: dict[str, Any],
    precision: str,
    models: list[str],
    nucleus: str | None,
    experts: dict[str, Any] | None = None,
) -> None:
    prepare_job(device, threads, gpus)
    prompts = read_parquet(job.input.prompts).to_pandas()
    how = Sampling(**sampling)
    texts = generate_ensemble(
        Point.parse(job.wildcards.point),
        dict(zip(models, map(Path, job.input.models), strict=True)),
        prompts,
        how,
        nucleus,
        batch_size=batch_size,
        device=device,
        progress=Progress(f"generate {job.wildcards.point}", len(prompts) * how.samples, "texts"),
        precision=precision,
        experts=experts or {},
    )
    write_texts(texts, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

"""Sample the continuations of every prompt at one point in the space of layers."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.points.algebra import Point
from lm_interpolation.texts.generation import Sampling, write_texts
from lm_interpolation.texts.layer_texts import generate_in_layers


def main(
    job: Job, device: str, threads: int, gpus: int, batch_size: int, *, sampling: dict[str, Any], precision: str
) -> None:
    prepare_job(device, threads, gpus)
    prompts = read_parquet(job.input.prompts).to_pandas()
    point, how = Point.parse(job.wildcards.point), Sampling(**sampling)
    texts = generate_in_layers(
        point,
        dict(zip(point.models, map(Path, job.input.models), strict=True)),
        prompts,
        how,
        batch_size=batch_size,
        device=device,
        progress=Progress(f"generate {point.id}", len(prompts) * how.samples, "texts"),
        precision=precision,
    )
    write_texts(texts, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

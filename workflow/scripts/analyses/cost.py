"""Time and peak memory of generating at some points, in weight space and in logit space."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.cost import measure_cost, write_cost
from lm_interpolation.analyses.prefixes import read_prefixes
from lm_interpolation.jobs.leases import lease_gpus
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.points.algebra import Point


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    batch_size: int,
    *,
    models: list[str],
    points: list[str],
    sampling: dict[str, Any],
    precision: str,
    nucleus: str | None,
    prefixes: int,
    repeats: int,
) -> None:
    # For the processes that compute; this process does not.
    lease_gpus(gpus)
    at = [Point.parse(identifier) for identifier in points]
    table = measure_cost(
        dict(zip(at, map(Path, job.input.checkpoints), strict=True)),
        dict(zip(models, map(Path, job.input.models), strict=True)),
        read_prefixes(job.input.prompts, prefixes),
        sampling,
        nucleus,
        repeats,
        batch_size=batch_size,
        device=device,
        # The job has all cores to itself, but computes with as many threads as a generation job.
        threads=threads,
        progress=Progress("measure cost", 2 * len(at) * repeats, "runs"),
        precision=precision,
    )
    write_cost(table, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

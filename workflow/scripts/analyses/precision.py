"""The study's lower precision against fp32, on a sample of its texts and scores."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.precision import check_precisions, compare_precisions, runs, write_precisions
from lm_interpolation.analyses.prefixes import read_prefixes
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, error_prefix, run_job
from lm_interpolation.points.algebra import Point
from lm_interpolation.texts.generation import Sampling


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    batch_sizes: dict[str, int],
    reason: str,
    *,
    models: list[str],
    points: list[str],
    sampling: dict[str, Any],
    generation: str,
    scorers: list[tuple[str, dict[str, Any]]],
    prefixes: int,
    threshold: float,
) -> None:
    prepare_job(device, threads, gpus)
    at = [Point.parse(identifier) for identifier in points]
    judges = dict(scorers)
    total = runs(len(at), generation, [spec["precision"] for spec in judges.values()])
    table = compare_precisions(
        dict(zip(at, map(Path, job.input.checkpoints), strict=True)),
        dict(zip(models, map(Path, job.input.models), strict=True)),
        read_prefixes(job.input.prompts, prefixes),
        Sampling(**sampling),
        generation,
        judges,
        batch_sizes,
        device=device,
        progress=Progress("compare precisions", total, "runs").update,
    )
    # The log gets all numbers, whatever the result of the check.
    print(table.to_string())
    with error_prefix(f"analyses.{job.wildcards.analysis}"):
        check_precisions(table, judges, threshold, reason)
    write_precisions(table, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

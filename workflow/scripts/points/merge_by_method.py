"""Merge the models of one point under a method into a checkpoint."""

from pathlib import Path
from typing import Any

from lm_interpolation.jobs.allocation import keep_freed_memory
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.points.algebra import Point, method_from_settings
from lm_interpolation.points.method_merging import merge_by_method


def main(job: Job, *, method: dict[str, Any]) -> None:
    keep_freed_memory()
    point, how = Point.parse(job.wildcards.point), method_from_settings(method)
    models = dict(zip(how.models(point), map(Path, job.input.models), strict=True))
    merge_by_method(point, how, models, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

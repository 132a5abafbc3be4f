"""Merge the models of one point into a checkpoint (Eqs. 1-4 of the paper)."""

from pathlib import Path

from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.merging import merge


def main(job: Job) -> None:
    point = Point.parse(job.wildcards.point)
    models = dict(zip(point.models, map(Path, job.input.models), strict=True))
    merge(point, models, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

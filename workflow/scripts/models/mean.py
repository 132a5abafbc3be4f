"""The mean of models: a uniform soup, or the centroid of a set."""

from pathlib import Path

from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.points.means import Mean
from lm_interpolation.points.merging import merge


def main(job: Job, *, models: list[str]) -> None:
    merge(Mean.of_models(models), dict(zip(models, map(Path, job.input.models), strict=True)), Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

"""Merge the models of one point into a checkpoint (Eqs. 1-4 of the paper)."""

from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import run_job
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.merging import merge


def main(snakemake: Any) -> None:
    point = Point.parse(snakemake.wildcards.point)
    models = dict(zip(point.models, map(Path, snakemake.input.models), strict=True))
    merge(point, models, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

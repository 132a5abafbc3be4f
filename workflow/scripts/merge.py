"""Merge the models of one point into a checkpoint (Eqs. 1-4 of the paper)."""

from pathlib import Path
from typing import Any

from workflow.lib.merging import merge
from workflow.lib.points import Point
from workflow.lib.runtime import run_job


def main(snakemake: Any) -> None:
    point = Point.parse(snakemake.wildcards.point)
    models = dict(zip(point.models, map(Path, snakemake.input.models), strict=True))
    merge(point, models, Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

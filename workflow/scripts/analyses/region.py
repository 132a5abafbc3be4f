"""Losses of models of a group, of points of their convex hull, and of points outside, and how they compare."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.region import count_losses, region_losses
from lm_interpolation.analyses.region_tables import PB_VALUES, REGION_VALUES, read_region, superiority_table
from lm_interpolation.analyses.set_losses import data_sets, open_losses
from lm_interpolation.analyses.set_texts import read_set_texts
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.tables.tables import write_table


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    batch_size: int,
    *,
    base: str,
    sets: list[dict[str, Any]],
    loss: str,
    seed: int,
    bootstrap: dict[str, Any],
) -> None:
    prepare_job(device, threads, gpus)
    found = data_sets(sets)
    names = [*(model for one in found for model in one.models), base]
    models = dict(zip(names, map(Path, job.input.models), strict=True))
    progress = Progress(f"region {job.wildcards.analysis}", count_losses(found), "losses").update
    losses = open_losses(loss, models, read_set_texts(Path(job.input.texts)), batch_size, device, progress)
    write_table(region_losses(losses, found, base, seed), Path(job.output.table), REGION_VALUES)
    # From the digits that stand there: verdicts rest on them, too.
    write_table(superiority_table(read_region(job.output.table), **bootstrap), Path(job.output.summary), PB_VALUES)


if __name__ == "__main__":
    run_job(main, snakemake)

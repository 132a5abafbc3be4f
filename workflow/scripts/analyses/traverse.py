"""Losses between and beyond pairs of models, and from the centroid of all outwards."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.set_losses import data_sets, open_losses
from lm_interpolation.analyses.set_texts import read_set_texts
from lm_interpolation.analyses.traverse import count_losses, traverse
from lm_interpolation.analyses.traverse_tables import TRAVERSE_VALUES
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
    sets: list[dict[str, Any]],
    loss: str,
    seed: int,
    bootstrap: dict[str, Any],
    per_level: int,
) -> None:
    prepare_job(device, threads, gpus)
    found = data_sets(sets)
    names = [model for one in found for model in one.models]
    models = dict(zip(names, map(Path, job.input.models), strict=True))
    progress = Progress(f"traverse {job.wildcards.analysis}", count_losses(found, per_level, seed), "losses").update
    losses = open_losses(loss, models, read_set_texts(Path(job.input.texts)), batch_size, device, progress)
    table = traverse(losses, found, per_level, seed, bootstrap["resamples"], bootstrap["seed"])
    write_table(table, Path(job.output[0]), TRAVERSE_VALUES)


if __name__ == "__main__":
    run_job(main, snakemake)

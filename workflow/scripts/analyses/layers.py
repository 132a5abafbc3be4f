"""Losses with one layer or kind of tensors grafted onto a base, or reset, at a time."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.layers import LAYER_VALUES, MODES, groups_of, layer_effects
from lm_interpolation.analyses.loss_files import read_loss_texts
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.tables.tables import write_table


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    batch_size: int,
    *,
    base: str,
    model: str,
    bootstrap: dict[str, Any],
) -> None:
    prepare_job(device, threads, gpus)
    space = WeightSpace(dict(zip((base, model), map(Path, job.input.models), strict=True)), device)
    points = len(MODES) * len(groups_of(list(space.parameters(base))))
    table = layer_effects(
        space,
        model,
        base,
        read_loss_texts(Path(job.input.texts)),
        batch_size=batch_size,
        progress=Progress(f"layers of {model}", points, "points").update,
        **bootstrap,
    )
    write_table(table, Path(job.output[0]), LAYER_VALUES)


if __name__ == "__main__":
    run_job(main, snakemake)

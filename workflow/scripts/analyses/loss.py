"""Losses of a corpus at every point of a sweep, with models interpolated in memory."""

from pathlib import Path
from typing import Any

from lm_interpolation.analyses.loss_files import read_loss_texts, write_losses
from lm_interpolation.analyses.losses import evaluate_losses
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.points.algebra import sweep_from_settings
from lm_interpolation.points.interpolation import WeightSpace


def main(
    job: Job, device: str, threads: int, gpus: int, batch_size: int, *, models: list[str], sweep: dict[str, Any]
) -> None:
    prepare_job(device, threads, gpus)
    found = sweep_from_settings(sweep)
    folders = dict(zip(models, map(Path, job.input.models), strict=True))
    losses = evaluate_losses(
        WeightSpace(folders, device),
        found,
        read_loss_texts(Path(job.input.texts)),
        batch_size=batch_size,
        progress=Progress(f"loss {found.name}", len(found.points), "points").update,
    )
    write_losses(losses, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

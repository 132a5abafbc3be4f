"""Losses of a corpus under named models."""

from pathlib import Path

from lm_interpolation.analyses.loss_files import read_loss_texts, write_losses
from lm_interpolation.analyses.model_losses import model_losses
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job


def main(job: Job, device: str, threads: int, gpus: int, batch_size: int, *, models: list[str]) -> None:
    prepare_job(device, threads, gpus)
    losses = model_losses(
        dict(zip(models, map(Path, job.input.models), strict=True)),
        read_loss_texts(Path(job.input.texts)),
        batch_size,
        device,
        Progress(f"loss {job.wildcards.analysis}", len(models), "models").update,
    )
    write_losses(losses, Path(job.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)

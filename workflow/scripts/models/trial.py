"""One trial of a hyper-parameter search: train, and keep only the dev losses after the given numbers of steps."""

from typing import Any

from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, error_prefix, run_job
from lm_interpolation.jobs.training_job import training_arguments
from lm_interpolation.models.distributed import run_training


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    name: str,
    save_steps: int,
    micro_batch: int | None,
    *,
    model: dict[str, Any],
    checkpoints: list[int],
) -> None:
    prepare_job(device, threads, gpus)
    search, trial = job.wildcards.search, job.wildcards.trial
    with error_prefix(f"searches.{search}, trial {trial}"):
        arguments = training_arguments(job, model, device, name, save_steps, micro_batch)
        run_training(job, model, threads, **arguments, label=f"{search} {trial}", checkpoints=checkpoints)


if __name__ == "__main__":
    run_job(main, snakemake)

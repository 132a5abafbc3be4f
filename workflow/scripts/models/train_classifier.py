"""Train one sequence classifier and measure its accuracy on held-out texts."""

from pathlib import Path
from typing import Any

from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, run_job
from lm_interpolation.jobs.training_job import training_arguments
from lm_interpolation.models.classifier_jobs import run_classifier_training


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
) -> None:
    prepare_job(device, threads, gpus)
    arguments = training_arguments(job, model, device, name, save_steps, micro_batch)
    run_classifier_training(job, model, **arguments, output=Path(job.output.model))


if __name__ == "__main__":
    run_job(main, snakemake)

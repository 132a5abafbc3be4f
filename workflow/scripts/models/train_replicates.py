"""Train the replicates of a family, or take the results of one of them from there."""

import gc
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.finished import FINISHED, take
from lm_interpolation.jobs.replicates import of_member, with_seed
from lm_interpolation.jobs.runtime import Job, announce, atomic_path, run_job
from lm_interpolation.jobs.training_job import training_arguments


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    save_steps: int,
    micro_batch: int | None,
    seeds: dict[str, int],
    outputs: dict[str, dict[str, str]],
    *,
    model: dict[str, Any],
) -> None:
    """``seeds`` and ``outputs`` are those of the replicates, by name: all of a family, whose job has one output."""
    is_family = len(job.output) == 1
    todo = []
    for name, seed in seeds.items():
        own, settings = of_member(job, name, seed, outputs[name]), with_seed(model, seed)
        arguments = training_arguments(own, settings, device, name, save_steps, micro_batch)
        scratch = arguments["scratch"]
        results = {
            "output": Path(own.output.model),
            "loss_curve": arguments["loss_curve"],
            "metrics": arguments["metrics"],
        }
        if is_family:
            if (scratch / FINISHED).exists():
                announce(f"[train {name}] is trained already")
                continue
            # Not in their places, which belong to another job: Snakemake would delete them before it starts.
            results = {key: scratch / "made" / key for key in results}
        elif take(scratch, results):
            continue
        todo.append((own, settings, {**arguments, **results}))
    if todo:
        # Most jobs only take what is there, and torch takes seconds to import.
        from lm_interpolation.jobs.compute import prepare_job
        from lm_interpolation.models.classifier_jobs import run_classifier_training
        from lm_interpolation.models.distributed import run_training

        prepare_job(device, threads, gpus)
        for own, settings, arguments in todo:
            if settings["task"] == "classifier":
                run_classifier_training(own, settings, **arguments)
            else:
                run_training(own, settings, threads, **arguments)
            # A trainer and its reporter refer to each other; without this, models would pile up.
            gc.collect()
    if is_family:
        with atomic_path(job.output[0]) as partial:
            partial.write_text(f"The replicates of {job.wildcards.family} are trained.\n", encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)

"""Train the replicates of a family that have no results yet, or take the results of one of them from there."""

import gc
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.finished import take
from lm_interpolation.jobs.replicates import is_done, of_member
from lm_interpolation.jobs.runtime import Job, announce, atomic_path, run_job
from lm_interpolation.jobs.training_job import training_arguments


def main(
    job: Job,
    device: str,
    threads: int,
    gpus: int,
    save_steps: int,
    micro_batch: int | None,
    outputs: dict[str, dict[str, str]],
    *,
    members: list[dict[str, Any]],
) -> None:
    """A family has one output, which says that all are trained; a replicate has those of a training."""
    todo = []
    for member in members:
        name, model = member["name"], member["model"]
        own = of_member(job, member, outputs[name])
        arguments = training_arguments(own, model, device, name, save_steps, micro_batch)
        arguments["output"] = Path(own.output.model)
        if len(job.output) == 1:
            if is_done(own, arguments["scratch"]):
                announce(f"[train {name}] is trained already")
                continue
            # Not in their place, where Snakemake would delete them: it lets another job make them.
            made = {key: arguments["scratch"] / "made" / key for key in ("output", "loss_curve", "metrics")}
        else:
            made = {key: arguments[key] for key in ("output", "loss_curve", "metrics")}
            if take(arguments["scratch"], made):
                continue
        todo.append((own, model, {**arguments, **made}))
    if todo:
        # Most jobs only take what is there, and torch takes seconds to import.
        from lm_interpolation.jobs.compute import prepare_job
        from lm_interpolation.models.distributed import run_training

        prepare_job(device, threads, gpus)
        for own, model, arguments in todo:
            run_training(own, model, threads, **arguments)
            # A trainer and its reporter refer to each other; without this, models would pile up.
            gc.collect()
    if len(job.output) == 1:
        with atomic_path(job.output[0]) as partial:
            partial.write_text(f"The replicates of {job.wildcards.family} are trained.\n", encoding="utf-8")


if __name__ == "__main__":
    run_job(main, snakemake)

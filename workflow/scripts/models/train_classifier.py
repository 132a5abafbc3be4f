"""Train one sequence classifier and measure its accuracy on held-out texts."""

from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import read_labelled_split
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.finished import publish
from lm_interpolation.jobs.runtime import Job, UserError, run_job
from lm_interpolation.jobs.training_job import first_texts, training_arguments
from lm_interpolation.models.classifier_training import train_classifier


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
    arguments["output"] = Path(job.output.model)
    if publish(arguments["scratch"], {name: arguments[name] for name in ("output", "loss_curve", "metrics")}):
        return
    held_out = {split: read_labelled_split(Path(job.input[split])) for split in ("dev", "test")}
    texts, labels = read_labelled_split(Path(job.input.train))
    limit = model["data"].get("limit")
    few = first_texts(labels, limit, name)
    if lacking := sorted(set(labels) - set(few)):
        raise UserError(
            f"models.{name}.data.limit: the first {limit} texts have none of class {lacking[0]!r}; raise it"
        )
    train_classifier(splits={"train": (first_texts(texts, limit, name), few), **held_out}, **arguments)


if __name__ == "__main__":
    run_job(main, snakemake)

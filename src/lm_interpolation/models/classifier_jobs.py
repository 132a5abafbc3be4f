"""Training jobs of classifiers: what they read, and what an earlier run of the job left."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_interpolation.data.corpora import read_labelled_split
from lm_interpolation.jobs.finished import publish
from lm_interpolation.jobs.runtime import Job, UserError
from lm_interpolation.jobs.training_job import first_texts
from lm_interpolation.models.classifier_training import train_classifier


def run_classifier_training(job: Job, model: Mapping[str, Any], **arguments: Any) -> None:
    """Train the classifier ``model`` of a job; ``arguments`` are those of the training.

    Does not train if an earlier run of the job ended well unnoticed (see ``finished``). Raises ``UserError`` if the
    first texts of ``data.limit`` lack a class.
    """
    name = arguments["name"]
    if publish(arguments["scratch"], {key: arguments[key] for key in ("output", "loss_curve", "metrics")}):
        return
    inputs = dict(job.input.items())
    held_out = {split: read_labelled_split(Path(inputs[split])) for split in ("dev", "test")}
    texts, labels = read_labelled_split(Path(inputs["train"]))
    limit = model["data"].get("limit")
    few = first_texts(labels, limit, name)
    if lacking := sorted(set(labels) - set(few)):
        raise UserError(
            f"models.{name}.data.limit: the first {limit} texts have none of class {lacking[0]!r}; raise it"
        )
    train_classifier(splits={"train": (first_texts(texts, limit, name), few), **held_out}, **arguments)

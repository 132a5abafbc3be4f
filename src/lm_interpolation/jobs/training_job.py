"""What training scripts share: the names of arguments, and the fingerprint of what the result depends on."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lm_interpolation.jobs.checksums import CHECKSUMS
from lm_interpolation.jobs.runtime import Job, UserError, file_digest

T = TypeVar("T")


def first_texts(texts: Sequence[T], limit: int | None, name: str) -> Sequence[T]:
    """The first ``limit`` training texts (None: all) of the model ``name``. Raises ``UserError`` if there are fewer."""
    if limit is not None and limit > len(texts):
        raise UserError(f"models.{name}.data.limit: {limit}, but there are {len(texts)} training texts; lower it")
    return texts if limit is None else texts[:limit]


def training_arguments(
    job: Job, model: Mapping[str, Any], device: str, name: str, save_steps: int, micro_batch: int | None
) -> dict[str, Any]:
    """The arguments that training jobs of all kinds share; ``model`` holds the settings of the model ``name``.

    Their scratch folder, where resumable checkpoints lie, is named after everything that the result depends on: a
    rerun with other settings, data or code never continues from them. ``save_steps`` and ``micro_batch`` do not count:
    the first changes nothing, the second only the rounding and what dropout drops.
    """
    inputs = dict(job.input.items())
    dependencies = job.settings + device + file_digest(*map(_contents, job.input))
    fingerprint = hashlib.sha256(dependencies.encode()).hexdigest()[:16]
    return {
        "name": name,
        "loss_curve": Path(job.output.loss_curve),
        "metrics": Path(job.output.metrics),
        "scratch": Path(job.top, "scratch", "-".join((*dict(job.wildcards.items()).values(), fingerprint))),
        "settings": {**model["training"], "save_steps": save_steps},
        "device": device,
        "start": _path(inputs.get("start")),
        "architecture": model["start"].get("architecture"),
        "tokenizer": _path(inputs.get("tokenizer")),
        "like": _path(inputs.get("like")),
        "micro_batch": micro_batch,
    }


def _contents(path: str) -> Path:
    """What stands for an input: of a model of ours its checksums, with which the training compares it."""
    checksums = Path(path, CHECKSUMS)
    return checksums if checksums.exists() else Path(path)


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)

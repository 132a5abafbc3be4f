"""What the training scripts do alike: read their job's settings, and fingerprint what its result depends on."""

import hashlib
import json
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.checksums import CHECKSUMS
from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import file_digest


def training_arguments(snakemake: Any) -> dict[str, Any]:
    """The arguments that training jobs of all kinds share.

    Their scratch folder, where resumable checkpoints lie, is named after everything that the result depends on: a
    rerun with other settings, data or code never continues from them.
    """
    prepare_job(snakemake)
    settings, config = snakemake.params.settings, snakemake.config
    wildcards = dict(snakemake.wildcards.items())
    # A trial of a search varies the training of the search's model.
    name = wildcards["model"] if "model" in wildcards else config["searches"][wildcards["search"]]["model"]
    inputs = [_contents(path) for path in snakemake.input]
    device = config["device"]
    dependencies = json.dumps([settings, device], sort_keys=True) + file_digest(*inputs)
    fingerprint = hashlib.sha256(dependencies.encode()).hexdigest()[:16]
    inputs_by_name = dict(snakemake.input.items())
    return {
        "name": name,
        "loss_curve": Path(snakemake.output.loss_curve),
        "metrics": Path(snakemake.output.metrics),
        "scratch": Path("results", config["study"], "scratch", "-".join((*wildcards.values(), fingerprint))),
        # With `save_steps`, which is no parameter: when to save changes nothing.
        "settings": {
            **settings["model"]["training"],
            "save_steps": config["models"][name]["training"]["save_steps"],
        },
        "device": device,
        "start": _path(inputs_by_name.get("start")),
        "architecture": settings["model"]["start"].get("architecture"),
        "tokenizer": _path(inputs_by_name.get("tokenizer")),
        "like": _path(inputs_by_name.get("like")),
        # No parameter either: it changes the rounding, and what dropout drops, but not what is computed.
        "micro_batch": config["compute"]["batch_size"].get("train"),
    }


def _contents(path: str) -> Path:
    """What stands for an input: of a model of ours its checksums, with which the training compares it."""
    checksums = Path(path, CHECKSUMS)
    return checksums if checksums.exists() else Path(path)


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)

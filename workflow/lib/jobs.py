"""What the training scripts do alike: read their job's settings, and fingerprint what its result depends on."""

import hashlib
import json
from pathlib import Path
from typing import Any

from workflow.lib.compute import prepare_torch
from workflow.lib.runtime import file_digest


def training_arguments(snakemake: Any) -> dict[str, Any]:
    """The arguments that training jobs of both kinds share.

    Their scratch folder, where resumable checkpoints lie, is named after everything that the result depends on: a
    rerun with other settings, data or code never continues from them.
    """
    prepare_torch(snakemake.threads)
    settings = snakemake.params.settings
    name = snakemake.wildcards.model
    inputs = [path for path in snakemake.input if not str(path).endswith(".py")]
    device = snakemake.config["device"]
    dependencies = json.dumps([settings, device], sort_keys=True) + file_digest(*inputs, *snakemake.input.source)
    fingerprint = hashlib.sha256(dependencies.encode()).hexdigest()[:16]
    output = Path(snakemake.output.model)
    inputs_by_name = dict(snakemake.input.items())
    return {
        "name": name,
        "output": output,
        "loss_curve": Path(snakemake.output.loss_curve),
        "metrics": Path(snakemake.output.metrics),
        "scratch": output.parents[1] / "scratch" / f"{name}-{fingerprint}",
        # With `save_steps`, which is no parameter: when to save changes nothing.
        "settings": snakemake.config["models"][name]["training"],
        "device": device,
        "start": _path(inputs_by_name.get("start")),
        "architecture": settings["model"]["start"].get("architecture"),
        "tokenizer": _path(inputs_by_name.get("tokenizer")),
    }


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)

"""What a training leaves behind: the model, the curve of its losses, and its metrics."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import (
    PreTrainedTokenizerBase,
    Trainer,
)

from lm_interpolation.jobs.finished import keep
from lm_interpolation.jobs.runtime import atomic_path, error_prefix
from lm_interpolation.models.lora import TrainedAdapter
from lm_interpolation.models.saving import save_model, write_model


def finish(
    trainer: Trainer,
    tokenizer: PreTrainedTokenizerBase,
    output: Path,
    loss_curve: Path,
    metrics: Path,
    result: Mapping[str, Any],
    scratch: Path,
    adapter: TrainedAdapter | None = None,
) -> None:
    """Write all of it; ``adapter`` is what was trained, if the model has one merged."""
    if adapter is None:
        save_model(trainer.model, tokenizer, output)
    else:
        with atomic_path(output) as partial, error_prefix(str(output)):
            adapter.write(partial / "adapter")
            write_model(trainer.model, tokenizer, partial)
    write_curve(trainer.state.log_history, loss_curve)
    write_json(result, metrics)
    keep(scratch, {"output": output, "loss_curve": loss_curve, "metrics": metrics})


def write_json(value: Any, path: Path) -> None:
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(value, indent=2) + "\n")


def write_curve(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    rows = []
    for entry in history:
        for split, key in (("train", "loss"), ("dev", "eval_loss")):
            if key in entry:
                loss = f"{entry[key]:.6g}" if math.isfinite(entry[key]) else ""
                rows.append([entry["step"], split, loss, entry.get("learning_rate", "")])
    with atomic_path(path) as partial, open(partial, "w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["step", "split", "loss", "learning_rate"])
        writer.writerows(rows)

"""The progress and the end of a training, and the checkpoints from which a rerun continues as if never interrupted."""

import json
import math
import shutil
import signal
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from transformers import (
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from lm_interpolation.jobs.checksums import check_files, write_checksums
from lm_interpolation.jobs.runtime import Progress, UserError, announce
from lm_interpolation.models.streams import StreamLoader

# The file that marks a resumable checkpoint as written to its end. It holds checksums, for after a power cut files may
# be shorter than they were, or hold anything.
_COMPLETE = "complete"


class _Termination:
    """Notes a SIGTERM, while entered, instead of dying of it: a training saves its state first."""

    received = False

    def __enter__(self) -> None:
        self._previous = signal.signal(signal.SIGTERM, self._note)

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGTERM, self._previous)

    def _note(self, number: int, frame: object) -> None:
        self.received = True

    def agreed(self, args: TrainingArguments) -> bool:
        """Whether any process has received one. All processes ask after the same step and get the same answer."""
        if args.world_size == 1:
            return self.received
        received = torch.tensor(int(self.received), device=args.device)
        torch.distributed.all_reduce(received, torch.distributed.ReduceOp.MAX)
        return bool(received.item())


class Reporter(TrainerCallback):
    """Progress lines, an end to a diverging run, and checkpoints that a rerun continues as if it had never stopped."""

    trainer: Trainer
    last: Path | None
    """The checkpoint to go on from."""

    interrupted = False
    """Whether the training ended early because of a SIGTERM, its state saved."""

    def __init__(self, name: str, label: str, steps: int) -> None:
        self.name, self.label, self.steps = name, label, steps
        self.termination = _Termination()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.first = state.global_step
        self.progress = Progress(f"train {self.label}", self.steps - self.first, "steps")
        if self.last is not None:
            total, since = json.loads((self.last / _unlogged(args)).read_text())
            self.trainer._tr_loss += total
            self.trainer._globalstep_last_logged = since

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # Resumed from a checkpoint of the last step, the Trainer would take one more.
        if state.global_step >= state.max_steps:
            control.should_save = False
        elif self.termination.agreed(args):
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        for key in ("loss", "eval_loss"):
            if logs and key in logs and not math.isfinite(logs[key]):
                self.diverged(key, logs[key], state, control)
        if args.process_index == 0:
            note = ", ".join(f"{key} {logs[key]:.3f}" for key in ("loss", "eval_loss") if logs and key in logs)
            self.progress.update(state.global_step - self.first, note)

    def diverged(self, key: str, loss: float, state: Any, control: Any) -> None:
        """End a run whose loss is not finite."""
        raise UserError(
            f"models.{self.name}.training: {key} is {loss} at step {state.global_step}; "
            "lower learning_rate, or clip with max_grad_norm"
        )

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        loader = kwargs["train_dataloader"]
        if isinstance(loader, StreamLoader):
            # The Trainer takes the batches of a step just before it, so that none was taken ahead.
            if loader.batches != (state.global_step - self.first) * args.gradient_accumulation_steps:
                raise RuntimeError(f"{loader.batches} batches in {state.global_step - self.first} steps")
            loader.save(checkpoint / f"stream-{args.process_index}.json")
        # The losses since the last log, which the Trainer forgets: so a state can be saved after any step.
        unlogged = [self.trainer._tr_loss.item(), self.trainer._globalstep_last_logged]
        (checkpoint / _unlogged(args)).write_text(json.dumps(unlogged) + "\n")
        if args.world_size > 1:
            torch.distributed.barrier()  # until every process has written its part
        if args.process_index == 0:
            write_checksums(checkpoint, _COMPLETE)
        self.interrupted = control.should_training_stop


class TrialReporter(Reporter):
    """Evaluates exactly after the steps ``checkpoints``, and ends a diverging run without an error."""

    def __init__(self, name: str, label: str, checkpoints: Collection[int]) -> None:
        super().__init__(name, label, max(checkpoints))
        self.checkpoints = checkpoints

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        super().on_step_end(args, state, control, **kwargs)
        control.should_evaluate = state.global_step in self.checkpoints

    def diverged(self, key: str, loss: float, state: Any, control: Any) -> None:
        control.should_training_stop = True
        # The state of a diverged run is not worth keeping, and must not be gone on from.
        control.should_save = False


def last_checkpoint(scratch: Path, label: str) -> Path | None:
    """The latest checkpoint that was written to its end and is undamaged.

    Later ones, and those that were not written to their end, are removed, so that nothing mistakes them for one.
    """
    whole = []
    for checkpoint in scratch.glob("checkpoint-*"):
        if (checkpoint / _COMPLETE).exists():
            whole.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    for checkpoint in sorted(whole, key=lambda path: int(path.name.split("-")[1]), reverse=True):
        try:
            check_files(checkpoint, _COMPLETE)
            return checkpoint
        except UserError as error:
            announce(f"[train {label}] {error}; this checkpoint is removed, the training goes on from an earlier state")
            shutil.rmtree(checkpoint)
    return None


def _unlogged(args: TrainingArguments) -> str:
    """Name of the file of a checkpoint with a process's sum of losses since the last log, and the step of that log."""
    return f"unlogged-{args.process_index}.json"

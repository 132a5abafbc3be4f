"""The Trainer of transformers as every training here runs it: its settings, its processes, its loss."""

import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import (
    PreTrainedModel,
    Trainer,
    TrainerControl,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_utils import unwrap_peft_model

from lm_interpolation.jobs.runtime import UserError, announce
from lm_interpolation.models.blocks import IGNORED
from lm_interpolation.models.logits import token_nll, training_loss
from lm_interpolation.models.saving import writing
from lm_interpolation.models.streams import StreamLoader, TokenStream
from lm_interpolation.models.text_parts import parts_of
from lm_interpolation.models.trainable import ALL, leave_trainable
from lm_interpolation.models.training_attention import AttentionInFloat32
from lm_interpolation.models.training_data import Blocks, Labelled, ShareLoader, Shares
from lm_interpolation.models.training_state import Reporter, last_checkpoint


class _Trainer(Trainer):
    """The Trainer, with a loader of our own for training data, and dev data divided among the processes.

    By default its processes would round up the last batch of an epoch, and of dev, with items from the beginning.
    """

    control: TrainerControl

    def __init__(self, *, loader: DataLoader | None, **options: Any) -> None:
        super().__init__(**options)
        self.loader = loader

    def get_train_dataloader(self) -> DataLoader:
        return super().get_train_dataloader() if self.loader is None else self.loader

    def _save_checkpoint(self, *arguments: Any) -> None:
        with writing(Path(self.args.output_dir)):
            super()._save_checkpoint(*arguments)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> Any:
        """The loss, whose value is the cross-entropy of the logits: whatever else the model adds is only learnt by.

        (A mixture of experts with ``output_router_logits: true`` adds the loss of its router, which is not in nats per
        token.)
        """
        blocks = inputs["labels"].ndim == 2
        router = blocks and getattr(self.model.config, "output_router_logits", False)
        # DistributedDataParallel must see the whole model run.
        if blocks and self.args.world_size == 1 and num_items_in_batch is not None and not router:
            with self.accelerator.autocast():
                loss = training_loss(unwrap_peft_model(model), inputs, num_items_in_batch)
            if loss is not None:
                return loss
        if not blocks and self.args.device.type == "cpu":
            loss = self._loss_in_parts(model, inputs, num_items_in_batch)
            return (loss, {}) if return_outputs else loss
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if router:
            with torch.no_grad():
                entropy = torch.nn.functional.cross_entropy(
                    outputs.logits[:, :-1].flatten(0, 1).float(), inputs["labels"][:, 1:].flatten(), reduction="sum"
                )
                entropy *= self.args.world_size / num_items_in_batch
            loss = loss + (entropy - loss).detach()
        return (loss, outputs) if return_outputs else loss

    def _loss_in_parts(
        self, model: Any, inputs: dict[str, torch.Tensor], num_items_in_batch: torch.Tensor | None
    ) -> torch.Tensor:
        """The loss of a batch of a classifier, whose texts are read in parts of similar length.

        Without dropout it is that of the padded batch, up to rounding. A batch of 32 sentences is padding to a half.
        """
        lengths = inputs["attention_mask"].sum(1).tolist()
        total = torch.zeros((), device=self.args.device)
        # Under one autocast, so that the weights are cast once for all parts.
        with self.accelerator.autocast():
            for part in parts_of(lengths):
                # An empty text is read as padding.
                longest = max(1, lengths[part[0]])
                some = {
                    "input_ids": inputs["input_ids"][part, :longest],
                    "attention_mask": inputs["attention_mask"][part, :longest],
                    "labels": inputs["labels"][part],
                }
                # Some models would divide by the number of texts of the whole batch, most do not.
                items = num_items_in_batch if self.compute_loss_func else None
                loss = super().compute_loss(model, some, False, items)
                # What `_classifier_loss` gives is a share of the mean already.
                total = total + (loss if self.compute_loss_func else loss * (len(part) / len(lengths)))
        return total

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        blocks = self.eval_dataset
        if not isinstance(blocks, Blocks):
            return super().evaluate(*arguments, **options)
        own = range(self.args.process_index, len(blocks), self.args.world_size)
        # NLL, and number of predicted tokens.
        total = torch.zeros(2, dtype=torch.float64, device=self.args.device)
        self.model.eval()
        for first in range(0, len(own), self.args.per_device_eval_batch_size):
            batch = self.data_collator([blocks[k] for k in own[first : first + self.args.per_device_eval_batch_size]])
            batch = self._prepare_inputs(batch)
            ids, mask, targets = batch["input_ids"][:, :-1], batch["attention_mask"][:, :-1], batch["labels"][:, 1:]
            with self.accelerator.autocast():
                losses, _ = token_nll(unwrap_peft_model(self.model), ids, mask, targets)
            total += torch.stack([losses.double().sum(), (targets != IGNORED).sum()])
        if self.args.world_size > 1:
            torch.distributed.all_reduce(total)
        metrics = {"eval_loss": (total[0] / total[1]).item()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def processes_of(settings: Mapping[str, Any]) -> int:
    return settings.get("processes", 1)


def rank_of(settings: Mapping[str, Any]) -> int:
    """Number of this process among those that train together, as torchrun says."""
    return int(os.environ["RANK"]) if processes_of(settings) > 1 else 0


def _parts(name: str, settings: Mapping[str, Any], micro_batch: int | None) -> tuple[int, int]:
    """Items that a process takes at once, and how often it does so in a step."""
    key, batch, processes = f"models.{name}.training.batch_size", settings["batch_size"], processes_of(settings)
    share, rest = divmod(batch, processes)
    if rest:
        raise UserError(f"{key}: {batch} cannot be divided among {processes} processes; choose a multiple")
    part = min(micro_batch or share, share)
    if share % part:
        raise UserError(
            f"{key}: of {batch} every process takes {share}, which is not a multiple of compute.batch_size.train, "
            f"{part}; change one of them"
        )
    return part, share // part


def _classifier_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, as a part of the mean over a batch that is taken in parts."""
    total = torch.nn.functional.cross_entropy(outputs["logits"].float(), labels, reduction="sum")
    return total / num_items_in_batch


def run_trainer(
    name: str,
    model: PreTrainedModel,
    train: Dataset,
    dev: Dataset,
    collator: Any,
    scratch: Path,
    settings: Mapping[str, Any],
    device: str,
    micro_batch: int | None,
    reporter: Reporter,
) -> Trainer:
    """Run the Trainer from the last whole checkpoint in ``scratch``, or from the start.

    If a SIGTERM comes in the meantime, it saves a checkpoint and raises ``UserError``.
    """
    rank, processes = rank_of(settings), processes_of(settings)
    part, parts = _parts(name, settings, micro_batch)
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device: cuda, but torch finds no GPU; choose cpu, or install a build of torch for this GPU")
    leave_trainable(name, model, settings.get("trainable", ALL), head=isinstance(train, Labelled))
    scratch.mkdir(parents=True, exist_ok=True)
    arguments = TrainingArguments(
        output_dir=str(scratch),
        max_steps=settings["steps"],
        per_device_train_batch_size=part,
        per_device_eval_batch_size=part,
        gradient_accumulation_steps=parts,
        optim="adamw_torch_fused",
        learning_rate=settings["learning_rate"],
        adam_beta1=settings["adam_beta1"],
        adam_beta2=settings["adam_beta2"],
        adam_epsilon=settings["adam_epsilon"],
        weight_decay=settings["weight_decay"],
        max_grad_norm=settings["max_grad_norm"],
        lr_scheduler_type=settings["schedule"],
        warmup_steps=settings["warmup_steps"],
        bf16=settings["precision"] == "bf16",
        seed=settings["seed"],
        eval_strategy="steps",
        eval_steps=settings["eval_steps"],
        logging_steps=settings["log_steps"],
        # By default a NaN loss is logged as the mean of those before, and left out of the loss on dev.
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=settings["save_steps"],
        # Two, so that one whole checkpoint is left when a kill hits while the next is written.
        save_total_limit=2,
        use_cpu=device == "cpu",
        dataloader_pin_memory=device != "cpu",
        disable_tqdm=True,
        report_to="none",
        # Not by what was seen of a stream but by our own record of the place.
        ignore_data_skip=isinstance(train, TokenStream),
        ddp_backend="gloo" if processes > 1 and device == "cpu" else None,
        # All weights of a language model take part in every step.
        ddp_find_unused_parameters=False if processes > 1 else None,
    )
    if arguments.world_size != processes:
        raise RuntimeError(f"{processes} processes should train, but {arguments.world_size} do")
    if device == "cuda":
        # A job has one GPU. Given more, the Trainer would feed each of them a batch, and so enlarge the batch.
        arguments._n_gpu = 1
    loader: DataLoader | None = None
    if isinstance(train, TokenStream):
        # Where a GPU computes, the next batch is made ready meanwhile.
        loader = StreamLoader(train, part, workers=1 if device == "cuda" else 0)
    elif processes > 1:
        loader = ShareLoader(train, Shares(len(train), settings["batch_size"], part, rank, processes, settings["seed"]))
    use_cache = getattr(model.config, "use_cache", None)
    trainer = _Trainer(
        loader=loader,
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=dev,
        data_collator=collator,
        callbacks=[reporter],
        # Classifiers of transformers divide by the number of texts in a part, whatever the Trainer tells them.
        compute_loss_func=_classifier_loss if isinstance(train, Labelled) and parts > 1 else None,
    )
    if processes > 1:
        # All start from the weights of the first one, but drop out different units.
        set_seed(settings["seed"] + rank)
    last = last_checkpoint(scratch, reporter.label) if rank == 0 else None
    if processes > 1:
        shared = [last]
        torch.distributed.broadcast_object_list(shared)
        (last,) = shared
    if last is not None:
        if rank == 0:
            announce(f"[train {reporter.label}] continuing from {last}")
        if isinstance(loader, StreamLoader):
            loader.load(last / f"stream-{rank}.json")
    reporter.trainer, reporter.last = trainer, last
    faster = AttentionInFloat32(model) if device == "cpu" and settings["precision"] == "bf16" else nullcontext()
    with reporter.termination, faster:
        try:
            trainer.train(resume_from_checkpoint=str(last) if last else None)
        finally:
            if isinstance(loader, StreamLoader):
                loader.close()
        if processes > 1:
            # The others still look at the folder that the first one removes in the end, and none ends before the state
            # is saved.
            torch.distributed.barrier()
    if reporter.interrupted:
        raise UserError(
            f"models.{name}.training: interrupted at step {trainer.state.global_step} by SIGTERM; the next run goes on "
            "from there"
        )
    if use_cache is not None:
        # The Trainer turned it off, which does not belong into the saved configuration.
        model.config.use_cache = use_cache
    return trainer

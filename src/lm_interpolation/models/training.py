"""Tokenizers, language models and sequence classifiers: training and resuming.

All models become Hugging Face directories in fp32 safetensors together with their tokenizer. fp32 matters: fine-tuning
moves a weight by less than bf16 can represent, so that differences of fine-tuned models are lost in lower precision.
"""

import csv
import json
import math
import os
import shutil
import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainingArguments,
    set_seed,
)

from lm_interpolation.jobs.batches import AdaptiveBatches, pad_right
from lm_interpolation.jobs.checksums import check_files, check_model, write_checksums
from lm_interpolation.jobs.finished import keep
from lm_interpolation.jobs.runtime import Progress, UserError, announce, atomic_path, brief, note
from lm_interpolation.models.blocks import IGNORED, pack
from lm_interpolation.models.loading import context_length
from lm_interpolation.models.probing import check_language_model
from lm_interpolation.models.saving import save_model, writing
from lm_interpolation.models.special_tokens import describe_for_classifier, of_model
from lm_interpolation.models.streams import Stream, StreamLoader, TokenStream
from lm_interpolation.points.logits import token_nll, training_loss
from lm_interpolation.scores.class_probabilities import class_probabilities, encode_for_classifier

END_OF_TEXT = "<|endoftext|>"
"""The one special token of tokenizers trained here; it ends a text and pads a batch, as in GPT-2."""

# The file that marks a resumable checkpoint as written to its end. It holds checksums, for after a power cut files may
# be shorter than they were, or hold anything.
_COMPLETE = "complete"


def train_tokenizer(texts: Sequence[str], vocab_size: int, output: Path) -> None:
    """Train a byte-level BPE tokenizer (as GPT-2's) with ``vocab_size`` tokens on ``texts`` and save it to ``output``.

    Raises ``UserError`` if the texts are too few for that many tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() != vocab_size:
        raise UserError(
            f"the texts yield only {tokenizer.get_vocab_size()} tokens, not vocab_size {vocab_size}; "
            "lower vocab_size or train the tokenizer on more text"
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END_OF_TEXT, eos_token=END_OF_TEXT, pad_token=END_OF_TEXT
    )
    with atomic_path(output) as scratch:
        fast.save_pretrained(scratch)
        write_checksums(scratch)


class _Blocks(Dataset):
    """Blocks of token ids for causal language modelling, with labels: the model shifts them itself.

    The item after the last one is a blank: a block without labels, which adds nothing to a loss or its gradient.
    """

    def __init__(self, blocks: np.ndarray, labels: np.ndarray) -> None:
        self.blocks, self.labels = torch.from_numpy(blocks.astype(np.int64)), torch.from_numpy(labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        # The mask is given because the tokens that end a text also serve as padding, which they are not here.
        blank = index == len(self)
        block = self.blocks[0 if blank else index]
        labels = torch.full_like(block, IGNORED) if blank else self.labels[index]
        return {"input_ids": block, "labels": labels, "attention_mask": torch.ones_like(block)}


class _Labelled(Dataset):
    """Token ids and class index of each text; padded by the collator."""

    def __init__(self, ids: Sequence[Sequence[int]], labels: Sequence[int]) -> None:
        self.ids, self.labels = ids, labels

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.ids[index], "labels": self.labels[index]}


class _Shares(Sampler[list[int]]):
    """The batches of one of several processes, in parts of at most ``part`` items.

    The shares of all processes make up the batches that a single process has: the order of ``items`` in an epoch is
    that of accelerate's sampler, and the last batch of an epoch holds what is left. Where that is no multiple of the
    processes, the others get a blank (index ``items``): they all take as many parts, since each waits for the others.
    """

    def __init__(self, items: int, batch_size: int, part: int, rank: int, processes: int, seed: int) -> None:
        self.items, self.batch_size, self.part = items, batch_size, part
        self.rank, self.processes, self.seed = rank, processes, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(self.items, self.batch_size)
        return full * self._parts(self.batch_size) + self._parts(rest)

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(self.items, generator=torch.Generator().manual_seed(self.seed + self.epoch)).tolist()
        for start in range(0, self.items, self.batch_size):
            batch = order[start : start + self.batch_size]
            share = batch[self.rank :: self.processes]
            share += [self.items] * (math.ceil(len(batch) / self.processes) - len(share))
            for first in range(0, len(share), self.part):
                yield share[first : first + self.part]

    def _parts(self, batch: int) -> int:
        return math.ceil(math.ceil(batch / self.processes) / self.part)


class _ShareLoader(DataLoader):
    """Batches of ``_Shares``, in an order of their own in every epoch."""

    def __init__(self, data: Dataset, shares: _Shares) -> None:
        # A generator of its own: the default one, which decides on dropout, must go on from a checkpoint untouched.
        super().__init__(data, batch_sampler=shares, generator=torch.Generator())
        self.shares = shares

    def set_epoch(self, epoch: int) -> None:
        self.shares.set_epoch(epoch)


class _Trainer(Trainer):
    """The Trainer, with a loader of our own for training data, and dev data dealt out to the processes.

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

        (The loss of a router, where a mixture of experts has ``output_router_logits: true``, is no nats per token.)
        """
        blocks = inputs["labels"].ndim == 2
        router = blocks and getattr(self.model.config, "output_router_logits", False)
        # DistributedDataParallel must see the whole model run.
        if blocks and self.args.world_size == 1 and num_items_in_batch is not None and not router:
            with self.accelerator.autocast():
                loss = training_loss(model, inputs, num_items_in_batch)
            if loss is not None:
                return loss
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if router:
            with torch.no_grad():
                entropy = torch.nn.functional.cross_entropy(
                    outputs.logits[:, :-1].flatten(0, 1).float(), inputs["labels"][:, 1:].flatten(), reduction="sum"
                )
                entropy *= self.args.world_size / num_items_in_batch
            loss = loss + (entropy - loss).detach()
        return (loss, outputs) if return_outputs else loss

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        blocks = self.eval_dataset
        if not isinstance(blocks, _Blocks):
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
                losses, _ = token_nll(self.model, ids, mask, targets)
            total += torch.stack([losses.double().sum(), (targets != IGNORED).sum()])
        if self.args.world_size > 1:
            torch.distributed.all_reduce(total)
        metrics = {"eval_loss": (total[0] / total[1]).item()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


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
        """Whether any of the processes has received one; asked by all after the same step, it tells all the same."""
        if args.world_size == 1:
            return self.received
        received = torch.tensor(int(self.received), device=args.device)
        torch.distributed.all_reduce(received, torch.distributed.ReduceOp.MAX)
        return bool(received.item())


class _Reporter(TrainerCallback):
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
        """What becomes of a run whose loss is not finite."""
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


class _Trial(_Reporter):
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


def train_language_model(
    name: str,
    train: Sequence[str] | Stream,
    dev: Sequence[str],
    output: Path,
    loss_curve: Path,
    metrics: Path,
    scratch: Path,
    settings: Mapping[str, Any],
    device: str = "cpu",
    start: Path | None = None,
    architecture: Mapping[str, Any] | None = None,
    tokenizer: Path | None = None,
    like: Path | None = None,
    micro_batch: int | None = None,
) -> None:
    """Train a causal language model with AdamW on packed blocks of text, and evaluate it on ``dev``.

    Starts from the model directory ``start`` (fine-tuning), from random weights of ``architecture`` (a transformers
    config with its ``model_type``; the vocabulary size is the tokenizer's), or from random weights with the
    configuration and the tokenizer of the model directory ``like``. ``train`` are texts, shuffled anew in each epoch,
    or a stream, read in its order. ``settings`` are the config's ``models.<name>.training``; their ``batch_size`` is
    the number of blocks in a step, of all ``processes`` (default 1) together. A process takes its share at once, or
    ``micro_batch`` blocks at a time, summing up the gradients: without dropout, the same up to rounding.

    With several processes each of them calls this function, under torchrun (``distributed``); the first
    one writes. ``scratch`` holds resumable checkpoints: a rerun after an interruption continues from the last whole
    one, and on CPU ends with the weights of an uninterrupted run. A SIGTERM ends the training after the step in which
    it comes, with such a checkpoint and a ``UserError``. In the end ``scratch`` holds the results (``finished.keep``).

    Writes the model to ``output``, its curve to ``loss_curve`` (CSV: step, split, loss in nats per token,
    learning_rate) and dev loss and perplexity to ``metrics`` (JSON). Raises ``UserError`` for settings that do not fit
    the model, the data or each other, and for a loss that is not finite.
    """
    reporter = _Reporter(name, name, settings["steps"])
    trainer, texts = _fit_language_model(
        name, train, dev, scratch, settings, device, start, architecture, tokenizer, like, micro_batch, reporter
    )
    # The Trainer evaluates after the last step in any case.
    loss = next(entry["eval_loss"] for entry in reversed(trainer.state.log_history) if "eval_loss" in entry)
    perplexity = _perplexity(loss)
    if perplexity is None:
        raise UserError(
            f"models.{name}.training: the loss on dev is {loss:.6g} nats per token in the end; lower learning_rate, "
            "or clip with max_grad_norm"
        )
    data = trainer.train_dataset
    result: dict[str, Any] = {"parameters": trainer.model.num_parameters()}
    if isinstance(data, _Blocks):
        result |= {"train_texts": len(train), "train_tokens": data.blocks.numel()}  # type: ignore[arg-type]
        seen = _seen(len(data), settings)
    else:
        seen = settings["steps"] * settings["batch_size"]
    result |= {
        "seen_tokens": seen * settings["block_length"],
        "dev_tokens": trainer.eval_dataset.blocks.numel(),
        "dev_loss": loss,
        "dev_perplexity": perplexity,
    }
    if trainer.args.process_index == 0:
        _finish(trainer, texts, output, loss_curve, metrics, result, scratch)


def run_trial(
    name: str,
    label: str,
    train: Sequence[str] | Stream,
    dev: Sequence[str],
    loss_curve: Path,
    metrics: Path,
    scratch: Path,
    settings: Mapping[str, Any],
    checkpoints: Collection[int],
    device: str = "cpu",
    start: Path | None = None,
    architecture: Mapping[str, Any] | None = None,
    tokenizer: Path | None = None,
    like: Path | None = None,
    micro_batch: int | None = None,
) -> None:
    """Train as ``train_language_model`` does, only to learn the loss on ``dev`` after the steps ``checkpoints``.

    ``name`` is the model whose training ``settings`` vary, ``label`` names the trial in progress lines; the run has
    ``max(checkpoints)`` steps. Writes ``loss_curve``, and ``metrics`` (JSON): ``evaluations``, a list of ``steps``,
    ``dev_loss`` (nats per token) and ``dev_perplexity`` in the order of the steps. A run that diverges is a result:
    it ends there, the curve has an empty loss, and both values are null from there on.
    """
    reporter = _Trial(name, label, checkpoints)
    settings = {**settings, "steps": max(checkpoints)}
    trainer, _ = _fit_language_model(
        name, train, dev, scratch, settings, device, start, architecture, tokenizer, like, micro_batch, reporter
    )
    if trainer.args.process_index != 0:
        return
    history = trainer.state.log_history
    last = next(
        (entry["step"] for entry in history for key in ("loss", "eval_loss") if not math.isfinite(entry.get(key, 0))),
        None,
    )
    if last is not None:
        announce(f"[train {label}] diverged by step {last}, which is its result")
    losses = {entry["step"]: entry["eval_loss"] for entry in history if "eval_loss" in entry}
    evaluations = []
    for steps in sorted(checkpoints):
        loss = losses[steps] if last is None or steps < last else None
        perplexity = None if loss is None else _perplexity(loss)
        evaluations.append({"steps": steps, "dev_loss": loss, "dev_perplexity": perplexity})
    _write_curve(history, loss_curve)
    _write_json({"evaluations": evaluations}, metrics)
    keep(scratch, {"loss_curve": loss_curve, "metrics": metrics})


def _fit_language_model(
    name: str,
    train: Sequence[str] | Stream,
    dev: Sequence[str],
    scratch: Path,
    settings: Mapping[str, Any],
    device: str,
    start: Path | None,
    architecture: Mapping[str, Any] | None,
    tokenizer: Path | None,
    like: Path | None,
    micro_batch: int | None,
    reporter: _Reporter,
) -> tuple[Trainer, PreTrainedTokenizerBase]:
    """The Trainer after the last step, and the tokenizer."""
    texts = _load_tokenizer(start, like, tokenizer)
    set_seed(settings["seed"])
    if start is not None:
        model = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32)
    elif like is not None:
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(like), dtype=torch.float32)
    else:
        model = _new_model(name, AutoModelForCausalLM, architecture or {}, texts)
        # Of what is trained for hours, texts must be generated in the end. Random numbers are the training's.
        with torch.random.fork_rng():
            check_language_model(model, texts, f"models.{name}.start.architecture")
    # transformers does not recognise GPT2LMHeadModel by its name. It takes this very loss all the same, but divides it
    # by the number of all tokens, of which the first one of a block is not predicted.
    model.loss_type = "ForCausalLM"
    length, special = settings["block_length"], of_model(model, texts)
    note(special.describe(texts))
    _check_context(name, model, texts, length)
    data: Dataset
    if isinstance(train, Stream):
        data = TokenStream(train, texts, length, settings["seed"], _rank(settings), _processes(settings), special)
    else:
        data = _Blocks(*pack(train, texts, length, special))
    blocks = _Blocks(*pack(dev, texts, length, special))
    return _train(name, model, data, blocks, None, scratch, settings, device, micro_batch, reporter), texts


def train_classifier(
    name: str,
    splits: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    output: Path,
    loss_curve: Path,
    metrics: Path,
    scratch: Path,
    settings: Mapping[str, Any],
    device: str = "cpu",
    start: Path | None = None,
    architecture: Mapping[str, Any] | None = None,
    tokenizer: Path | None = None,
    like: Path | None = None,
    micro_batch: int | None = None,
) -> None:
    """Train a sequence classifier and report its accuracy on held-out text.

    ``splits`` maps ``train``, ``dev`` and ``test`` to (texts, class names); the classes are those of ``train``, in
    alphabetical order. Texts longer than ``settings["block_length"]`` tokens are cut, and their number is reported.
    Other arguments and outputs as in ``train_language_model``, but in one process; ``metrics`` holds accuracy, the
    share of the most frequent class, recall per class, and the expected calibration error, on dev and test, all as
    ``classifier.score_classifier`` reads these texts: padded on the right, in fp32.
    """
    if _processes(settings) != 1:
        raise UserError(f"models.{name}.training.processes: a classifier trains in one process; remove the key")
    encoder = _load_tokenizer(start, like, tokenizer)
    classes = sorted(set(splits["train"][1]))
    labels = {"num_labels": len(classes), "id2label": dict(enumerate(classes))}
    labels["label2id"] = {label: index for index, label in enumerate(classes)}
    set_seed(settings["seed"])
    if start is not None:
        model = AutoModelForSequenceClassification.from_pretrained(start, dtype=torch.float32, **labels)
    elif like is not None:
        config = AutoConfig.from_pretrained(like, **labels)
        model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    else:
        model = _new_model(name, AutoModelForSequenceClassification, architecture or {}, encoder, **labels)
    if encoder.pad_token_id is None:
        raise UserError(f"models.{name}: its tokenizer has no padding token; name a pad_token in tokenizer_config.json")
    model.config.pad_token_id = encoder.pad_token_id
    note(describe_for_classifier(encoder))
    limit = settings["block_length"]
    _check_context(name, model, encoder, limit)
    data = {}
    for split, (texts, names) in splits.items():
        ids = encode_for_classifier(encoder, texts, limit)
        cut = sum(len(whole) > limit for whole in encode_for_classifier(encoder, texts))
        if cut:
            announce(f"[train {name}] {cut} of {len(ids)} {split} texts cut to {limit} tokens")
        data[split] = _Labelled(ids, [classes.index(label) for label in names])
    reporter = _Reporter(name, name, settings["steps"])

    def collator(items: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        # Never on the left, as some tokenizers would have it: scorers pad on the right, too.
        ids, mask = pad_right([item["input_ids"] for item in items], encoder.pad_token_id, "cpu")
        return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([item["labels"] for item in items])}

    trainer = _train(
        name, model, data["train"], data["dev"], collator, scratch, settings, device, micro_batch, reporter
    )
    result: dict[str, Any] = {"parameters": model.num_parameters(), "classes": classes}
    for split in ("dev", "test"):
        result[split] = _held_out(trainer, data[split], classes)
    _finish(trainer, encoder, output, loss_curve, metrics, result, scratch)


def _held_out(trainer: Trainer, data: _Labelled, classes: Sequence[str]) -> dict[str, Any]:
    """What a classifier is worth on texts that it has not seen, as a scorer reads them."""
    # Without the autocast of the training.
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
    probabilities = np.full((len(data), len(classes)), 1 / len(classes))
    for batch, values in class_probabilities(model, data.ids, AdaptiveBatches(trainer.args.per_device_eval_batch_size)):
        probabilities[batch] = values
    truth = np.asarray(data.labels)
    guess = probabilities.argmax(axis=1)
    return {
        "texts": len(truth),
        "accuracy": float((guess == truth).mean()),
        "majority_share": float(np.bincount(truth).max() / len(truth)),
        "recall": {label: float((guess[truth == k] == k).mean()) for k, label in enumerate(classes)},
        "expected_calibration_error": expected_calibration_error(probabilities, truth),
    }


def expected_calibration_error(probabilities: np.ndarray, truth: np.ndarray, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over ``bins`` equal intervals of confidence, weighted by their texts.

    ``probabilities`` (n, classes) and ``truth`` (n,) class indices; the confidence is the largest probability of a
    text (Guo et al. 2017, arXiv 1706.04599, Eq. 5).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


def _load_tokenizer(*directories: Path | None) -> PreTrainedTokenizerBase:
    """The tokenizer in the first of the directories that is given, from which a model may be loaded, too."""
    directory = next(filter(None, directories))
    check_model(directory)
    return AutoTokenizer.from_pretrained(directory)


def _new_model(
    name: str, factory: Any, architecture: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, **labels: Any
) -> Any:
    """A model with random weights. Raises ``UserError`` for an architecture that transformers cannot build."""
    key, kind = f"models.{name}.start.architecture", architecture["model_type"]
    options = {option: value for option, value in architecture.items() if option != "model_type"}
    if kind not in CONFIG_MAPPING:
        raise UserError(f"{key}.model_type: transformers has no {kind!r}; choose one that it has, as gpt2")
    try:
        default = CONFIG_MAPPING[kind]()
        for option in options:
            # A configuration takes any name and keeps it, without effect.
            if not hasattr(default, option):
                raise UserError(f"{key}.{option}: {kind} has no such option; correct its name or remove it")
        config = AutoConfig.for_model(
            kind,
            vocab_size=len(tokenizer),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **options,
            **labels,
        )
        return factory.from_config(config)
    except (ValueError, TypeError, KeyError, StrictDataclassError) as error:
        raise UserError(f"{key}: {brief(error)}") from error


def _check_context(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, block_length: int) -> None:
    limit = context_length(model, tokenizer)
    if limit is not None and block_length > limit:
        raise UserError(
            f"models.{name}.training.block_length: {block_length} exceeds the model's context of {limit} tokens; "
            "lower it"
        )


def _seen(items: int, settings: Mapping[str, Any]) -> int:
    """Number of items (with repetitions) in all steps: the last batch of an epoch holds what is left."""
    epochs, steps = divmod(settings["steps"], math.ceil(items / settings["batch_size"]))
    return epochs * items + steps * settings["batch_size"]


def _processes(settings: Mapping[str, Any]) -> int:
    return settings.get("processes", 1)


def _rank(settings: Mapping[str, Any]) -> int:
    """Number of this process among those that train together, as torchrun says."""
    return int(os.environ["RANK"]) if _processes(settings) > 1 else 0


def _parts(name: str, settings: Mapping[str, Any], micro_batch: int | None) -> tuple[int, int]:
    """Items that a process takes at once, and how often it does so in a step."""
    key, batch, processes = f"models.{name}.training.batch_size", settings["batch_size"], _processes(settings)
    share, rest = divmod(batch, processes)
    if rest:
        raise UserError(f"{key}: {batch} cannot be dealt out to {processes} processes; make it a multiple of them")
    part = min(micro_batch or share, share)
    if share % part:
        raise UserError(
            f"{key}: of {batch} every process takes {share}, which are no multiple of compute.batch_size.train, "
            f"{part}; change one of them"
        )
    return part, share // part


def _classifier_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, as a part of the mean over a batch that is taken in parts."""
    total = torch.nn.functional.cross_entropy(outputs["logits"].float(), labels, reduction="sum")
    return total / num_items_in_batch


def _perplexity(loss: float) -> float | None:
    """exp(loss), or None beyond the largest number."""
    try:
        return math.exp(loss)
    except OverflowError:
        return None


def _train(
    name: str,
    model: PreTrainedModel,
    train: Dataset,
    dev: Dataset,
    collator: Any,
    scratch: Path,
    settings: Mapping[str, Any],
    device: str,
    micro_batch: int | None,
    reporter: _Reporter,
) -> Trainer:
    """Run the Trainer from the last whole checkpoint in ``scratch``, or from the start.

    Raises ``UserError`` if a SIGTERM comes meanwhile, after saving a checkpoint.
    """
    rank, processes = _rank(settings), _processes(settings)
    part, parts = _parts(name, settings, micro_batch)
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device: cuda, but torch finds no GPU; choose cpu, or install a build of torch for this GPU")
    scratch.mkdir(parents=True, exist_ok=True)
    arguments = TrainingArguments(
        output_dir=str(scratch),
        max_steps=settings["steps"],
        per_device_train_batch_size=part,
        per_device_eval_batch_size=part,
        gradient_accumulation_steps=parts,
        optim="adamw_torch",
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
        loader = _ShareLoader(
            train, _Shares(len(train), settings["batch_size"], part, rank, processes, settings["seed"])
        )
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
        compute_loss_func=_classifier_loss if isinstance(train, _Labelled) and parts > 1 else None,
    )
    if processes > 1:
        # All start from the weights of the first one, but drop out different units.
        set_seed(settings["seed"] + rank)
    last = _last_checkpoint(scratch, reporter.label) if rank == 0 else None
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
    with reporter.termination:
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


def _last_checkpoint(scratch: Path, label: str) -> Path | None:
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


def _finish(
    trainer: Trainer,
    tokenizer: PreTrainedTokenizerBase,
    output: Path,
    loss_curve: Path,
    metrics: Path,
    result: Mapping[str, Any],
    scratch: Path,
) -> None:
    save_model(trainer.model, tokenizer, output)
    _write_curve(trainer.state.log_history, loss_curve)
    _write_json(result, metrics)
    keep(scratch, {"output": output, "loss_curve": loss_curve, "metrics": metrics})


def _write_json(value: Any, path: Path) -> None:
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(value, indent=2) + "\n")


def _write_curve(history: Sequence[Mapping[str, Any]], path: Path) -> None:
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

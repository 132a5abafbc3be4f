"""Training causal language models, in full or as a trial of a search.

All models become Hugging Face directories in fp32 safetensors together with their tokenizer. fp32 matters: fine-tuning
moves a weight by less than bf16 can represent, so that differences of fine-tuned models are lost in lower precision.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedTokenizerBase,
    Trainer,
    set_seed,
)

from lm_interpolation.jobs.finished import keep
from lm_interpolation.jobs.runtime import UserError, announce, note
from lm_interpolation.models.blocks import pack
from lm_interpolation.models.lora import TrainedAdapter, taken_apart, with_lora
from lm_interpolation.models.probing import check_language_model
from lm_interpolation.models.special_tokens import of_model
from lm_interpolation.models.starts import check_context, load_tokenizer, new_model
from lm_interpolation.models.streams import Stream, TokenStream
from lm_interpolation.models.trainer import processes_of, rank_of, run_trainer
from lm_interpolation.models.training_data import Blocks
from lm_interpolation.models.training_outputs import finish, write_curve, write_json
from lm_interpolation.models.training_state import Reporter, TrialReporter


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

    With ``lora`` among the settings, an adapter of ``start`` is trained. The model has it merged, and its folder holds
    the adapter, too, in ``adapter``.

    Writes the model to ``output``, its curve to ``loss_curve`` (CSV: step, split, loss in nats per token,
    learning_rate) and dev loss and perplexity to ``metrics`` (JSON). Raises ``UserError`` for settings that do not fit
    the model, the data or each other, and for a loss that is not finite.
    """
    reporter = Reporter(name, name, settings["steps"])
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
    adapter: TrainedAdapter | None = None
    if "lora" in settings:
        assert start is not None
        adapter, trainer.model = taken_apart(trainer.model, start.name)
    data = trainer.train_dataset
    result: dict[str, Any] = {"parameters": trainer.model.num_parameters()}
    if isinstance(data, Blocks):
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
        finish(trainer, texts, output, loss_curve, metrics, result, scratch, adapter)


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
    reporter = TrialReporter(name, label, checkpoints)
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
    write_curve(history, loss_curve)
    write_json({"evaluations": evaluations}, metrics)
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
    reporter: Reporter,
) -> tuple[Trainer, PreTrainedTokenizerBase]:
    """The Trainer after the last step, and the tokenizer."""
    texts = load_tokenizer(start, like, tokenizer)
    set_seed(settings["seed"])
    if start is not None:
        model = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32)
    elif like is not None:
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(like), dtype=torch.float32)
    else:
        model = new_model(name, AutoModelForCausalLM, architecture or {}, texts)
        # Of what is trained for hours, texts must be generated in the end. Random numbers are the training's.
        with torch.random.fork_rng():
            check_language_model(model, texts, f"models.{name}.start.architecture")
    # transformers does not recognise GPT2LMHeadModel by its name. It takes this very loss all the same, but divides it
    # by the number of all tokens, of which the first one of a block is not predicted.
    model.loss_type = "ForCausalLM"
    length, special = settings["block_length"], of_model(model, texts)
    note(special.describe(texts))
    check_context(name, model, texts, length)
    if "lora" in settings:
        model = with_lora(name, model, settings["lora"])
    data: Dataset
    if isinstance(train, Stream):
        data = TokenStream(train, texts, length, settings["seed"], rank_of(settings), processes_of(settings), special)
    else:
        data = Blocks(*pack(train, texts, length, special))
    blocks = Blocks(*pack(dev, texts, length, special))
    return run_trainer(name, model, data, blocks, None, scratch, settings, device, micro_batch, reporter), texts


def _seen(items: int, settings: Mapping[str, Any]) -> int:
    """Number of items (with repetitions) in all steps: the last batch of an epoch holds what is left."""
    epochs, steps = divmod(settings["steps"], math.ceil(items / settings["batch_size"]))
    return epochs * items + steps * settings["batch_size"]


def _perplexity(loss: float) -> float | None:
    """exp(loss), or None beyond the largest number."""
    try:
        return math.exp(loss)
    except OverflowError:
        return None

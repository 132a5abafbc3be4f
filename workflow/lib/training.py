"""Tokenizers, language models and sequence classifiers: training, resuming, importing.

All models become Hugging Face directories in fp32 safetensors together with their tokenizer. fp32 matters: fine-tuning
moves a weight by less than bf16 can represent, so that differences of fine-tuned models are lost in lower precision.
"""

import csv
import json
import math
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.utils.data import Dataset
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from workflow.lib.runtime import Progress, UserError, announce, atomic_path

END_OF_TEXT = "<|endoftext|>"
"""The one special token of tokenizers trained here; it ends a text and pads a batch, as in GPT-2."""

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


def import_model(source: str, revision: str | None, task: str, output: Path) -> None:
    """Copy a hub model (id and revision) or a local directory to ``output``, in fp32 and with its tokenizer.

    ``task`` is ``language-model`` or ``classifier``. Pickled weights are read with ``weights_only``; code from the hub
    is never run. Raises ``UserError`` if the model cannot be loaded, lacks weights that the task needs (a language
    model has no classification head), or has no tokenizer that fits it.
    """
    factory = AutoModelForCausalLM if task == "language-model" else AutoModelForSequenceClassification
    where = f"{source} (revision {revision})" if revision else source
    # Without the explicit False, transformers asks on stdin whether to run the code of the repository.
    options = {"revision": revision or "main", "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        # Weights of another shape are accepted here in order to name them below.
        model, info = factory.from_pretrained(
            source, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    except Exception as error:  # of every package that reads a part of it: json, pickle, safetensors, tokenizers, ...
        raise UserError(
            f"cannot load model {where}: {_brief(error)}; check its files, or the id and the revision (a machine "
            "without network needs them in the hub cache)"
        ) from error
    if info["missing_keys"] or info["mismatched_keys"]:
        missing = sorted(info["missing_keys"])[:3] or sorted(entry[0] for entry in info["mismatched_keys"])[:3]
        raise UserError(f"model {where} lacks weights of a {task}: {missing}; is it a model of another kind?")
    if info["unexpected_keys"]:
        unused = sorted(info["unexpected_keys"])
        announce(f"[import {where}] {len(unused)} weights have no place in a {task}: {', '.join(unused[:3])}")
    # Where files are missing, transformers makes a tokenizer of special tokens only, which drops all text.
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        raise UserError(f"model {where} has no tokenizer files; add those that it was trained with")
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise UserError(
            f"model {where}: its tokenizer has {len(tokenizer)} tokens, but it embeds {rows}; is it another model's?"
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    _save(model, tokenizer, output)


def pack(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, block_length: int) -> np.ndarray:
    """Token ids, int32 of shape (blocks, block_length): the texts, each closed by the end-of-text token, end to end.

    The remainder that does not fill a block is dropped. Raises ``UserError`` if the texts do not fill one block.
    """
    end = tokenizer.eos_token_id
    if end is None:
        raise UserError("the tokenizer has no end-of-text (eos) token, which separates the texts of a corpus")
    pieces: list[np.ndarray] = []
    for start in range(0, len(texts), 10_000):
        batch = tokenizer(list(texts[start : start + 10_000]), add_special_tokens=False, verbose=False)["input_ids"]
        pieces.extend(np.asarray([*ids, end], dtype=np.int32) for ids in batch)
    stream = np.concatenate(pieces) if pieces else np.empty(0, np.int32)
    blocks = len(stream) // block_length
    if blocks == 0:
        raise UserError(
            f"{len(texts)} texts make {len(stream)} tokens, less than one block of {block_length}; "
            "lower training.block_length or give more text"
        )
    return stream[: blocks * block_length].reshape(blocks, block_length)


class _Blocks(Dataset):
    """Blocks of token ids for causal language modelling: the model shifts the labels itself."""

    def __init__(self, blocks: np.ndarray) -> None:
        self.blocks = torch.from_numpy(blocks.astype(np.int64))

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        # The mask is given because the tokens that end a text also serve as padding, which they are not here.
        block = self.blocks[index]
        return {"input_ids": block, "labels": block, "attention_mask": torch.ones_like(block)}


class _Labelled(Dataset):
    """Token ids and class index of each text; padded by the collator."""

    def __init__(self, ids: Sequence[Sequence[int]], labels: Sequence[int]) -> None:
        self.ids, self.labels = ids, labels

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.ids[index], "labels": self.labels[index]}


class _Reporter(TrainerCallback):
    """Progress lines, an end to a diverging run, and checkpoints that a rerun continues as if it had never stopped."""

    def __init__(self, name: str, steps: int) -> None:
        self.name, self.steps = name, steps

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.first = state.global_step
        self.progress = Progress(f"train {self.name}", self.steps - self.first, "steps")

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # Resumed from a checkpoint of the last step, the Trainer would take one more.
        if state.global_step >= state.max_steps:
            control.should_save = False

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        for key in ("loss", "eval_loss"):
            if logs and key in logs and not math.isfinite(logs[key]):
                raise UserError(
                    f"models.{self.name}.training: {key} is {logs[key]} at step {state.global_step}; "
                    "lower learning_rate, or clip with max_grad_norm"
                )
        note = ", ".join(f"{key} {logs[key]:.3f}" for key in ("loss", "eval_loss") if logs and key in logs)
        self.progress.update(state.global_step - self.first, note)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / _COMPLETE).touch()


def train_language_model(
    name: str,
    train: Sequence[str],
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
) -> None:
    """Train a causal language model with AdamW on packed blocks of text, and evaluate it on ``dev``.

    Starts from the model directory ``start`` (fine-tuning) or from random weights of ``architecture`` (a transformers
    config with its ``model_type``; the vocabulary size is the tokenizer's). ``settings`` are the config's
    ``models.<name>.training``. ``scratch`` holds resumable checkpoints: a rerun after an interruption continues from
    the last whole one, and on CPU ends with the weights of an uninterrupted run.

    Writes the model to ``output``, its curve to ``loss_curve`` (CSV: step, split, loss in nats per token,
    learning_rate) and dev loss and perplexity to ``metrics`` (JSON).
    """
    texts = AutoTokenizer.from_pretrained(start or tokenizer)
    set_seed(settings["seed"])
    if start is not None:
        model = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32)
    else:
        model = _new_model(name, AutoModelForCausalLM, architecture or {}, texts)
    # transformers does not recognise GPT2LMHeadModel by its name. It takes this very loss all the same, but divides it
    # by the number of all tokens, of which the first one of a block is not predicted.
    model.loss_type = "ForCausalLM"
    _check_context(name, model, settings["block_length"])
    data = {
        "train": _Blocks(pack(train, texts, settings["block_length"])),
        "dev": _Blocks(pack(dev, texts, settings["block_length"])),
    }
    trainer = _train(name, model, data["train"], data["dev"], None, scratch, settings, device)
    # The Trainer evaluates after the last step in any case.
    loss = next(entry["eval_loss"] for entry in reversed(trainer.state.log_history) if "eval_loss" in entry)
    result = {
        "parameters": model.num_parameters(),
        "train_texts": len(train),
        "train_tokens": int(data["train"].blocks.numel()),
        "seen_tokens": _seen(len(data["train"]), settings) * settings["block_length"],
        "dev_tokens": int(data["dev"].blocks.numel()),
        "dev_loss": loss,
        "dev_perplexity": math.exp(loss),
    }
    _finish(trainer, texts, output, loss_curve, metrics, result, scratch)


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
) -> None:
    """Train a sequence classifier and report its accuracy on held-out text.

    ``splits`` maps ``train``, ``dev`` and ``test`` to (texts, class names); the classes are those of ``train``, in
    alphabetical order. Texts longer than ``settings["block_length"]`` tokens are cut, and their number is reported.
    Other arguments and outputs as in ``train_language_model``; ``metrics`` holds accuracy, the share of the most
    frequent class, and recall per class, on dev and test.
    """
    encoder = AutoTokenizer.from_pretrained(start or tokenizer)
    classes = sorted(set(splits["train"][1]))
    labels = {"num_labels": len(classes), "id2label": dict(enumerate(classes))}
    labels["label2id"] = {label: index for index, label in enumerate(classes)}
    set_seed(settings["seed"])
    if start is not None:
        model = AutoModelForSequenceClassification.from_pretrained(start, dtype=torch.float32, **labels)
    else:
        model = _new_model(name, AutoModelForSequenceClassification, architecture or {}, encoder, **labels)
    model.config.pad_token_id = encoder.pad_token_id
    limit = settings["block_length"]
    _check_context(name, model, limit)
    data = {}
    for split, (texts, names) in splits.items():
        # Cut by the tokenizer, which keeps its special tokens. The call that does not cut comes last: a fast tokenizer
        # is saved with the truncation that it was last used with.
        ids = encoder(list(texts), truncation=True, max_length=limit)["input_ids"]
        cut = sum(len(whole) > limit for whole in encoder(list(texts), verbose=False)["input_ids"])
        if cut:
            announce(f"[train {name}] {cut} of {len(ids)} {split} texts cut to {limit} tokens")
        data[split] = _Labelled(ids, [classes.index(label) for label in names])
    trainer = _train(
        name, model, data["train"], data["dev"], DataCollatorWithPadding(encoder), scratch, settings, device
    )
    result: dict[str, Any] = {"parameters": model.num_parameters(), "classes": classes}
    for split in ("dev", "test"):
        prediction = trainer.predict(data[split])
        truth = np.asarray(data[split].labels)
        guess = prediction.predictions.argmax(axis=1)
        result[split] = {
            "texts": len(truth),
            "accuracy": float((guess == truth).mean()),
            "majority_share": float(np.bincount(truth).max() / len(truth)),
            "recall": {label: float((guess[truth == k] == k).mean()) for k, label in enumerate(classes)},
        }
    _finish(trainer, encoder, output, loss_curve, metrics, result, scratch)


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
        raise UserError(f"{key}: {_brief(error)}") from error


def _check_context(name: str, model: PreTrainedModel, block_length: int) -> None:
    limit = getattr(model.config, "max_position_embeddings", None)
    if limit is not None and block_length > limit:
        raise UserError(
            f"models.{name}.training.block_length: {block_length} exceeds the model's context of {limit} tokens; "
            "lower it"
        )


def _seen(items: int, settings: Mapping[str, Any]) -> int:
    """Number of items (with repetitions) in all steps: the last batch of an epoch holds what is left."""
    epochs, steps = divmod(settings["steps"], math.ceil(items / settings["batch_size"]))
    return epochs * items + steps * settings["batch_size"]


def _brief(error: Exception) -> str:
    """The beginning of an error message, on one line."""
    return textwrap.shorten(f"{type(error).__name__}: {error}", 300)


def _train(
    name: str,
    model: PreTrainedModel,
    train: Dataset,
    dev: Dataset,
    collator: Any,
    scratch: Path,
    settings: Mapping[str, Any],
    device: str,
) -> Trainer:
    """Run the Trainer from the last whole checkpoint in ``scratch``, or from the start."""
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device: cuda, but torch finds no GPU; choose cpu, or install a build of torch for this GPU")
    scratch.mkdir(parents=True, exist_ok=True)
    arguments = TrainingArguments(
        output_dir=str(scratch),
        max_steps=settings["steps"],
        per_device_train_batch_size=settings["batch_size"],
        per_device_eval_batch_size=settings["batch_size"],
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
        # Together with a log: the losses summed up since the last one are not part of a checkpoint.
        save_steps=math.ceil(settings["save_steps"] / settings["log_steps"]) * settings["log_steps"],
        # Two, so that one whole checkpoint is left when a kill hits while the next is written.
        save_total_limit=2,
        use_cpu=device == "cpu",
        dataloader_pin_memory=device != "cpu",
        disable_tqdm=True,
        report_to="none",
    )
    if device == "cuda":
        # A job has one GPU. Given more, the Trainer would feed each of them a batch, and so enlarge the batch.
        arguments._n_gpu = 1
    use_cache = getattr(model.config, "use_cache", None)
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=dev,
        data_collator=collator,
        callbacks=[_Reporter(name, settings["steps"])],
    )
    last = _last_checkpoint(scratch)
    if last is not None:
        announce(f"[train {name}] continuing from {last}")
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    if use_cache is not None:
        # The Trainer turned it off, which does not belong into the saved configuration.
        model.config.use_cache = use_cache
    return trainer


def _last_checkpoint(scratch: Path) -> Path | None:
    """The latest checkpoint that was written to its end; others are removed, so that nothing mistakes them for one."""
    whole = []
    for checkpoint in scratch.glob("checkpoint-*"):
        if (checkpoint / _COMPLETE).exists():
            whole.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return max(whole, key=lambda path: int(path.name.split("-")[1]), default=None)


def _finish(
    trainer: Trainer,
    tokenizer: PreTrainedTokenizerBase,
    output: Path,
    loss_curve: Path,
    metrics: Path,
    result: Mapping[str, Any],
    scratch: Path,
) -> None:
    _save(trainer.model, tokenizer, output)
    _write_curve(trainer.state.log_history, loss_curve)
    with atomic_path(metrics) as partial:
        partial.write_text(json.dumps(result, indent=2) + "\n")
    shutil.rmtree(scratch)


def _write_curve(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    rows = []
    for entry in history:
        for split, key in (("train", "loss"), ("dev", "eval_loss")):
            if key in entry:
                rows.append([entry["step"], split, f"{entry[key]:.6g}", entry.get("learning_rate", "")])
    with atomic_path(path) as partial, open(partial, "w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["step", "split", "loss", "learning_rate"])
        writer.writerows(rows)


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, output: Path) -> None:
    for name, tensor in model.named_parameters():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{output}: weight {name} is not finite; training diverged? lower the learning rate")
    with atomic_path(output) as scratch:
        model.float().save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)

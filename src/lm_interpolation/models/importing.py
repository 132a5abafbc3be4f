"""Imports a model from the hub or a local folder: reads only its files, checks it, and saves it like all models."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
)

from lm_interpolation.jobs.checksums import CHECKSUMS, check_files
from lm_interpolation.jobs.runtime import UserError, announce, atomic_path, brief, error_prefix
from lm_interpolation.models.body_loading import BodyLoader
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.hub_models import model_folder
from lm_interpolation.models.model_folders import CONTEXT, check_folder, is_count, model_files, text_config
from lm_interpolation.models.probing import check_saved
from lm_interpolation.models.saving import write_model
from lm_interpolation.models.special_tokens import choose_start, of_model, state_ends

_TASKS: dict[str, tuple[str, Any]] = {
    "language-model": ("a language-model", AutoModelForCausalLM),
    "classifier": ("a classifier", AutoModelForSequenceClassification),
    "encoder": ("an encoder", BodyLoader),
}
"""Task to words for it, and to what loads a model for it."""


def import_model(source: str, revision: str | None, task: str, output: Path, special_tokens: str = "tokenizer") -> None:
    """Copy a hub model (id and revision) or a local directory to ``output``, in fp32 and with its tokenizer.

    ``task`` is ``language-model``, ``classifier`` or ``encoder``. An encoder is imported without
    its head, whatever that is for. From a model of several parts (texts and images, say) a language model is taken.
    ``special_tokens`` chooses how its texts start (``special_tokens.choose_start``). Only the files that belong to the
    model are read (``model_files``). Pickled weights are read with ``weights_only``; code from the hub is never run.

    Raises ``UserError`` if the model cannot be loaded, lacks weights that the task needs (a language model has no
    classification head), has no tokenizer that fits it, or cannot do what a study does with it (see ``probing``).
    """
    where = f"{source} (revision {revision})" if revision else source
    folder = Path(source) if revision is None else model_folder(source, revision)
    with contextlib.ExitStack() as stack:
        # Errors use the study's name of the model, wherever its files are.
        stack.enter_context(_renaming({} if revision is None else {folder: source}))
        config = check_folder(folder, task)
        files = model_files(folder)
        if (folder / CHECKSUMS).is_file():  # a model of ours, of another study
            try:
                check_files(folder, only={file.name for file in files})
            except UserError as error:
                raise UserError(f"{error}; copy the model again") from None
        alone = stack.enter_context(_alone([file for file in files if file.name != CHECKSUMS]))
        stack.enter_context(_renaming({alone: source}))
        if (alone / "model.safetensors").exists() or (alone / "model.safetensors.index.json").exists():
            Checkpoint.open(alone)
        model, tokenizer = _load(alone, where, task, text_config(config, folder / "config.json") is not None)
        scratch = stack.enter_context(atomic_path(output))
        stack.enter_context(_renaming({scratch: source}))
        with error_prefix(f"model {where}"):
            if task == "language-model":
                choose_start(tokenizer, special_tokens)
                state_ends(model, tokenizer, config)
                announce(f"[import {where}] {of_model(model, tokenizer).describe(tokenizer)}")
            write_model(model, tokenizer, scratch)
        # Copies: the model itself is freed before it is loaded again.
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        del model
        check_saved(scratch, task, f"model {where}", buffers)


@contextlib.contextmanager
def _renaming(names: dict[Path, str]) -> Iterator[None]:
    """Replace paths by their ``names`` in the ``UserError`` of a block."""
    try:
        yield
    except UserError as error:
        text = str(error)
        for path, name in names.items():
            text = text.replace(str(path), name)
        raise UserError(text) from error


@contextlib.contextmanager
def _alone(files: list[Path]) -> Iterator[Path]:
    """A folder that contains only links to ``files``, while the block runs."""
    with tempfile.TemporaryDirectory(prefix="import-") as scratch:
        for file in files:
            Path(scratch, file.name).symlink_to(os.path.realpath(file))
        yield Path(scratch)


def _load(folder: Path, where: str, task: str, composite: bool) -> tuple[PreTrainedModel, Any]:
    """Model and tokenizer in ``folder``; ``composite`` says that its language model is a part of it."""
    # Without the explicit False, transformers asks on stdin whether to run the code of the repository.
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        words, factory = _TASKS[task]
        if composite and type(AutoConfig.from_pretrained(folder, **options)) not in factory._model_mapping:
            factory = AutoModelForImageTextToText
        # Accept weights of another shape here, to name them below.
        model, info = factory.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    except Exception as error:  # of every package that reads a part of it: json, pickle, safetensors, tokenizers, ...
        raise UserError(f"cannot load model {where}: {brief(error)}; check its files, or choose another") from error
    if info["missing_keys"] or info["mismatched_keys"]:
        missing = sorted(info["missing_keys"])[:3] or sorted(entry[0] for entry in info["mismatched_keys"])[:3]
        raise UserError(f"model {where} lacks weights of {words}: {missing}; is it a model of another kind?")
    if info["unexpected_keys"]:
        unused = sorted(info["unexpected_keys"])
        announce(f"[import {where}] {len(unused)} weights have no place in {words}: {', '.join(unused[:3])}")
    if composite:
        model = _language_part(model, where, task)
    # If files are missing, transformers makes a tokenizer with special tokens only, which drops all text.
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
    _name_context(model, where)
    return model, tokenizer


def _language_part(model: Any, where: str, task: str) -> PreTrainedModel:
    """The causal language model in a model of several parts.

    Raises ``UserError`` if it cannot be extracted, or gives other logits alone than within the model.
    """
    advice = "save its language model on its own with save_pretrained, or choose another model"
    whole = type(model).__name__
    if task != "language-model":
        raise UserError(f"model {where}: {whole} has several parts, which no {task} can have; {advice}")
    config = model.config.get_text_config(decoder=True)
    config.tie_word_embeddings = model.config.tie_word_embeddings
    try:
        part = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for target, origin in (
            (part.get_decoder(), model.get_decoder()),
            (part.get_output_embeddings(), model.get_output_embeddings()),
        ):
            target.load_state_dict(origin.state_dict())
        part.generation_config = model.generation_config
        ids = torch.arange(min(8, config.vocab_size))[None]
        with torch.inference_mode():
            alone, inside = (each.eval()(input_ids=ids).logits for each in (part, model))
    except Exception as error:  # of the code of any architecture
        raise UserError(
            f"model {where}: cannot take the language model out of {whole}: {brief(error)}; {advice}"
        ) from error
    if not torch.allclose(alone, inside, rtol=1e-4, atol=1e-4 * inside.std().item()):
        raise UserError(
            f"model {where}: the language model of {whole} gives other logits when it is taken out; {advice}"
        )
    announce(f"[import {where}] of {whole} its language model is taken, {type(part).__name__}")
    return part


def _name_context(model: Any, where: str) -> None:
    """Rename the context of an architecture that uses another word for it (MPT), so that it is found."""
    if getattr(model.config, CONTEXT, None) is None:
        if is_count(getattr(model.config, "max_seq_len", None)):
            model.config.max_position_embeddings = model.config.max_seq_len
        else:
            announce(f"[import {where}] config.json names no context length: texts of any length are given to it")

"""Saving models of transformers, whole or not at all."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.jobs.runtime import UserError, atomic_path, brief, error_prefix


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, output: Path) -> None:
    """Write ``model`` as ``write_model`` does to the folder ``output``, which then appears in one step."""
    with atomic_path(output) as scratch, error_prefix(str(output)):
        write_model(model, tokenizer, scratch)


def write_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write ``model``, in fp32, and its tokenizer into the new folder ``folder``, with checksums.

    Raises ``UserError`` if a weight is not finite, ``OSError`` if the disk is full.
    """
    for name, tensor in model.named_parameters():
        if not torch.isfinite(tensor).all():
            raise UserError(f"weight {name} is not finite; training diverged? lower the learning rate")
    with writing(folder.parent):
        model.float().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        write_checksums(folder)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """If a file cannot be written, turn the errors of torch and safetensors into an ``OSError`` that may say why.

    For a full disk, torch.save says something like "unexpected pos 4160 vs 4052".
    """
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        free = shutil.disk_usage(folder).free / 1e9
        raise OSError(f"cannot save a model in {folder}, where {free:.1f} GB are free: {brief(error)}") from error

"""Hugging Face checkpoints as maps of named tensors: no weight is loaded, no torch needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.headers import Tensor, read_tensors
from lm_interpolation.models.model_folders import read_json
from lm_interpolation.models.tokenizer_files import tokenizer_identity

# `save_pretrained` of a model with a head puts the base model's name in front; hub files of these types lack it.
_PREFIXES = {"gpt2": "transformer.", "bloom": "transformer."}

# Output and input embeddings, which are one tensor when tied (last parts of their names, over architectures).
_HEADS = ("lm_head.weight", "embed_out.weight")
_EMBEDDINGS = ("wte.weight", "embed_tokens.weight", "embed_in.weight", "word_embeddings.weight")


@dataclass(frozen=True)
class Checkpoint:
    """What a model directory holds.

    ``tensors`` maps canonical names, those that ``save_pretrained`` writes, to tensors: mask buffers are left out, and
    tied embeddings are one tensor. ``tied`` holds (output embedding, input embedding) where a file stores both.
    ``tokenizer`` maps each part of the tokenizer that decides how text becomes tokens to a digest.
    """

    directory: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    tied: tuple[Tensor, Tensor] | None
    tokenizer: Mapping[str, str]

    @classmethod
    def open(cls, directory: str | Path) -> "Checkpoint":
        """Read config, headers and tokenizer. Raises ``UserError`` if something is missing, damaged or truncated."""
        directory = Path(directory)
        if not directory.is_dir():
            raise UserError(f"{directory}: no such directory; give a model directory (config.json, *.safetensors)")
        config = read_json(directory / "config.json", "not a model directory: save one with save_pretrained")
        tensors = _canonical(read_tensors(directory), config)
        _check_vocabulary(directory, config, tensors)
        tied = _tied_pair(tensors) if is_tied(config) else None
        if tied:
            tensors = {name: tensor for name, tensor in tensors.items() if tensor is not tied[0]}
        return cls(directory, config, tensors, tied, tokenizer_identity(directory))


def _check_vocabulary(directory: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Raise ``UserError`` if the input embeddings have another number of rows than ``vocab_size``.

    Loading the model would make a table of that size, however large.
    """
    size = config.get("vocab_size")
    tables = [tensor for name, tensor in tensors.items() if name.endswith(_EMBEDDINGS) and len(tensor.shape) == 2]
    if size is not None and tables and all(tensor.shape[0] != size for tensor in tables):
        raise UserError(
            f"{directory / 'config.json'}: vocab_size is {size}, but {tables[0].name} has {tables[0].shape[0]} rows; "
            "save the model again with save_pretrained"
        )


def _canonical(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors sorted by the names that ``save_pretrained`` writes, without mask buffers."""
    prefix = _PREFIXES.get(config.get("model_type", ""), "")
    if any(name.startswith(prefix) for name in tensors):
        prefix = ""
    return {
        name if name in _HEADS else prefix + name: tensor
        for name, tensor in sorted(tensors.items())
        if not _is_mask(tensor)
    }


def _is_mask(tensor: Tensor) -> bool:
    """Causal masks and rotary frequencies, which old versions stored; a mask differs from a true bias by its shape."""
    last = tensor.name.rsplit(".", 1)[-1]
    is_causal = last == "bias" and len(tensor.shape) == 4 and tensor.shape[:2] == (1, 1)
    return is_causal or last == "masked_bias" or tensor.name.endswith("rotary_emb.inv_freq")


def is_tied(config: Mapping[str, Any]) -> bool:
    # Configs that leave the key out were written by transformers < 5, whose default was true.
    return config.get("tie_word_embeddings", True)


def _tied_pair(tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor] | None:
    """(output embedding, input embedding) where both are stored."""
    heads = [tensors[name] for name in _HEADS if name in tensors]
    embeddings = [tensor for name, tensor in tensors.items() if name.endswith(_EMBEDDINGS)]
    for head in heads:
        for embedding in embeddings:
            if head.shape == embedding.shape:
                return head, embedding
    return None

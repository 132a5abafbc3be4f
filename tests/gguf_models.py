"""Tiny models with random weights, written as GGUF by the package gguf as llama.cpp's converter would write them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, quants
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel

CONTEXT = 64
_LAYERS, _WIDTH, _HEADS, _GROUPS = 2, 32, 2, 1
# Conv1D of transformers is transposed.
_TRANSPOSED = ("c_attn.weight", "c_proj.weight", "c_fc.weight")


def write_gguf(
    path: Path,
    tokenizer: Path,
    kind: str = "llama",
    quantisation: str = "F32",
    extra_tensors: Sequence[str] = (),
    **metadata: Any,
) -> dict[str, torch.Tensor]:
    """Write a ``llama`` or ``gpt2`` of 300 tokens; return its weights, as float32, by the names of transformers.

    Matrices are stored with ``quantisation``, vectors as F32. The weights returned are those that the file holds,
    dequantised by the package gguf. ``tokenizer`` is a folder with a byte-level ``tokenizer.json``. Of ``metadata``,
    None leaves a key out, and an underscore twice stands for a dot. ``extra_tensors`` hold 32 numbers each.
    """
    model = _random(kind)
    entries = _model_metadata(kind) | _tokenizer_metadata(tokenizer)
    entries |= {key.replace("__", "."): value for key, value in metadata.items()}
    writer = GGUFWriter(path, kind)
    for key, value in entries.items():
        _add(writer, key, value)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[kind.upper()], _LAYERS)
    held = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":
            continue  # tied to the input embeddings
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert target is not None, name
        heads = {"q_proj.weight": _HEADS, "k_proj.weight": _GROUPS}.get(name.split(".", 4)[-1], 0)
        values = tensor.numpy()
        values = values.T if name.endswith(_TRANSPOSED) else _paired(values, heads) if heads else values
        type = GGMLQuantizationType[quantisation if values.ndim > 1 else "F32"]
        stored = quants.quantize(np.ascontiguousarray(values), type)
        writer.add_tensor(target, stored, raw_dtype=type)
        values = quants.dequantize(stored, type)
        values = values.T if name.endswith(_TRANSPOSED) else _halved(values, heads) if heads else values
        held[name] = torch.from_numpy(np.ascontiguousarray(values))
    for name in extra_tensors:
        writer.add_tensor(name, np.ones(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return held


def _random(kind: str) -> PreTrainedModel:
    torch.manual_seed(3)
    ends = {"bos_token_id": 0, "eos_token_id": 0, "vocab_size": 300}
    if kind == "gpt2":
        model = GPT2LMHeadModel(GPT2Config(n_layer=_LAYERS, n_embd=_WIDTH, n_head=_HEADS, n_positions=CONTEXT, **ends))
    else:
        sizes = {"num_hidden_layers": _LAYERS, "hidden_size": _WIDTH, "intermediate_size": 64}
        heads = {"num_attention_heads": _HEADS, "num_key_value_heads": _GROUPS}
        model = LlamaForCausalLM(
            LlamaConfig(max_position_embeddings=CONTEXT, tie_word_embeddings=True, **sizes, **heads, **ends)
        )
    for parameter in model.parameters():
        parameter.data.normal_(std=0.3)
    return model


def _model_metadata(kind: str) -> dict[str, Any]:
    told = {
        "context_length": CONTEXT,
        "embedding_length": _WIDTH,
        "block_count": _LAYERS,
        "feed_forward_length": 4 * _WIDTH if kind == "gpt2" else 64,
        "attention.head_count": _HEADS,
    }
    if kind == "gpt2":
        told |= {"attention.layer_norm_epsilon": 1e-5}
    else:
        told |= {"attention.head_count_kv": _GROUPS, "attention.layer_norm_rms_epsilon": 1e-6}
        told |= {"rope.dimension_count": _WIDTH // _HEADS, "rope.freq_base": 10000.0, "vocab_size": 300}
    return {f"{kind}.{key}": value for key, value in told.items()}


def _tokenizer_metadata(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    special = {token["content"] for token in content["added_tokens"]}
    ends = {f"{name}_token_id": 0 for name in ("bos", "eos", "padding")}
    told = {
        "model": "gpt2",
        "pre": "gpt-2",
        "tokens": tokens,
        "token_type": [3 if token in special else 1 for token in tokens],
        "merges": [pair if isinstance(pair, str) else " ".join(pair) for pair in content["model"]["merges"]],
        "add_bos_token": False,
    }
    return {f"tokenizer.ggml.{key}": value for key, value in (told | ends).items()}


def _add(writer: GGUFWriter, key: str, value: Any) -> None:
    match value:
        case None:
            pass
        case bool():
            writer.add_bool(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case str():
            writer.add_string(key, value)
        case list():
            writer.add_array(key, value)


def _paired(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows of queries or keys in llama.cpp's order: the two halves of each head become neighbours."""
    return values.reshape(heads, 2, -1, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def _halved(values: np.ndarray, heads: int) -> np.ndarray:
    """The reverse of ``_paired``."""
    return values.reshape(heads, -1, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)

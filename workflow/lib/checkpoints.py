"""Hugging Face checkpoints as maps of named tensors, read from file headers: no weight is loaded, no torch needed.

Format of a safetensors file (https://huggingface.co/docs/safetensors): 8 bytes with the length of the header (little
endian), the header (JSON: name -> dtype, shape, data_offsets), then the data, to which the offsets refer.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.lib.runtime import UserError

ITEM_SIZES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
"""Bytes per element of the dtypes that we know, by their names in safetensors."""

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)
"""Files that make up a tokenizer; a directory has some of them."""

# `save_pretrained` of a model with a head puts the base model's name in front; hub files of these types lack it.
_PREFIXES = {"gpt2": "transformer.", "bloom": "transformer."}

# Output and input embeddings, which are one tensor when tied (last parts of their names, over architectures).
_HEADS = ("lm_head.weight", "embed_out.weight")
_EMBEDDINGS = ("wte.weight", "embed_tokens.weight", "embed_in.weight", "word_embeddings.weight")

# Config keys in which models that can be merged may differ: provenance, training, padding, other heads.
_FREE_KEYS = re.compile(
    r"_.*|architectures|transformers_version|(torch_)?dtype|use_cache|gradient_checkpointing|output_past"
    r"|.*(dropout|_pdrop).*|initializer_range|pad_token_id|task_specific_params|summary_.*|problem_type"
    r"|id2label|label2id|n_ctx|is_decoder|pretraining_tp|output_(attentions|hidden_states)"
)


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file: element type (safetensors' name), shape, and its bytes ``[start, end)`` in ``file``."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    end: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether it holds weights, which can be averaged, and not indices or flags."""
        return self.dtype in ("F64", "F32", "F16", "BF16")


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
        config = _read_json(directory / "config.json", "not a model directory: save one with save_pretrained")
        tensors = _canonical(_read_tensors(directory), config)
        tied = _tied_pair(tensors) if _is_tied(config) else None
        if tied:
            tensors = {name: tensor for name, tensor in tensors.items() if tensor is not tied[0]}
        return cls(directory, config, tensors, tied, _tokenizer_identity(directory))


def check_compatible(models: Mapping[str, str | Path]) -> dict[str, Checkpoint]:
    """The checkpoints of ``models`` (name -> directory), if they can be averaged; reads headers only.

    Raises ``UserError`` naming two models, the first difference in architecture, tensor names, shapes or tokenizer,
    and what to do.
    """
    checkpoints = {name: Checkpoint.open(directory) for name, directory in models.items()}
    (first, reference), *others = checkpoints.items()
    for name, checkpoint in others:
        for difference, remedy in _differences(reference, checkpoint):
            raise UserError(
                f"models {first} ({reference.directory}) and {name} ({checkpoint.directory}) cannot be combined: "
                f"{difference}; {remedy}"
            )
    return checkpoints


def check_same_tokenizer(models: Mapping[str, str | Path]) -> None:
    """Check that ``models`` (name -> directory), of whatever architecture, turn text into the same tokens.

    Raises ``UserError`` naming two models, the first difference of their tokenizers and what to do, or a directory
    without a tokenizer.
    """
    tokenizers = {name: _tokenizer_identity(Path(directory)) for name, directory in models.items()}
    (first, reference), *others = tokenizers.items()
    for name, tokenizer in others:
        for difference, remedy in _tokenizer_differences(reference, tokenizer):
            raise UserError(
                f"models {first} ({models[first]}) and {name} ({models[name]}) cannot be combined: "
                f"{difference}; {remedy}"
            )


def _differences(one: Checkpoint, two: Checkpoint) -> Iterator[tuple[str, str]]:
    """(difference, remedy) pairs, the most telling first."""
    same_origin = "use models fine-tuned from the same one"
    keys = [key for key in one.config if key in two.config and not _FREE_KEYS.fullmatch(key)]
    # Versions of transformers write different sets of keys: those in one file only say nothing.
    for key in sorted(keys, key=lambda key: (key != "model_type", key != "vocab_size", key)):
        if one.config[key] != two.config[key]:
            yield f"config.json: {key} is {one.config[key]} and {two.config[key]}", same_origin
    if _is_tied(one.config) != _is_tied(two.config):
        values = f"{_is_tied(one.config)} and {_is_tied(two.config)}"
        yield f"config.json: tie_word_embeddings is {values}", same_origin
    for name in sorted(one.tensors.keys() ^ two.tensors.keys()):
        owner = "first" if name in one.tensors else "second"
        yield f"only the {owner} has the tensor {name}", same_origin
    for name, tensor in one.tensors.items():
        other = two.tensors[name]
        if tensor.shape != other.shape:
            yield f"tensor {name} has shape {list(tensor.shape)} and {list(other.shape)}", same_origin
        if tensor.dtype != other.dtype and not (tensor.is_float and other.is_float):
            yield f"tensor {name} has dtype {tensor.dtype} and {other.dtype}", same_origin
    yield from _tokenizer_differences(one.tokenizer, two.tokenizer)


def _tokenizer_differences(one: Mapping[str, str], two: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    same_tokenizer = "save the tokenizer that the weights were trained with in both"
    shared = [part for part in one if part in two]
    if not shared:
        yield f"tokenizers are of different kinds ({', '.join([*one, *two])})", same_tokenizer
    for part in shared:
        if one[part] != two[part]:
            yield f"tokenizers differ in their {part}", same_tokenizer


def _read_json(path: Path, remedy: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: missing; {remedy}") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); copy or download it again") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a JSON object; copy or download it again")
    return content


def _read_tensors(directory: Path) -> dict[str, Tensor]:
    """All tensors under the names in the files, from one file or from the shards of an index."""
    single, index = directory / "model.safetensors", directory / "model.safetensors.index.json"
    if single.exists():
        return _read_header(single)
    if index.exists():
        weight_map = _read_json(index, "").get("weight_map")
        if not isinstance(weight_map, dict):
            raise UserError(f"{index}: has no weight_map; download it again")
        shards = {file: _read_header(directory / file) for file in sorted(set(weight_map.values()))}
        for name, file in weight_map.items():
            if name not in shards[file]:
                raise UserError(f"{index}: promises {name} in {file}, which lacks it; download the shards again")
        return {name: shards[file][name] for name, file in weight_map.items()}
    if any(directory.glob("pytorch_model*.bin")):
        raise UserError(
            f"{directory}: has weights as pytorch_model.bin only; convert them: "
            "transformers' from_pretrained(directory) with the class of the model, then save_pretrained(directory)"
        )
    raise UserError(f"{directory}: no weights (model.safetensors); save the model with save_pretrained")


def _read_header(path: Path) -> dict[str, Tensor]:
    """Parse the header of a safetensors file and hold it against the length of the file."""
    if not path.exists():
        raise UserError(f"{path}: missing; download all shards that the index names")
    total = path.stat().st_size
    with open(path, "rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if total < 8 or 8 + length > total:
            raise UserError(f"{path}: truncated or not a safetensors file ({total} bytes); copy or download it again")
        try:
            header = json.loads(handle.read(length))
            tensors = {
                name: Tensor(
                    name,
                    entry["dtype"],
                    tuple(entry["shape"]),
                    path,
                    *(8 + length + offset for offset in entry["data_offsets"]),
                )
                for name, entry in header.items()
                if name != "__metadata__"
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: damaged header ({error!r}); copy or download it again") from None
    for tensor in tensors.values():
        if tensor.end > total:
            raise UserError(
                f"{path}: truncated: tensor {tensor.name} ends at byte {tensor.end}, the file at {total}; "
                "copy or download it again"
            )
        if tensor.dtype not in ITEM_SIZES:
            raise UserError(f"{path}: tensor {tensor.name} has dtype {tensor.dtype}; save the model in float32")
        if tensor.end - tensor.start != tensor.size * ITEM_SIZES[tensor.dtype]:
            raise UserError(f"{path}: tensor {tensor.name}: byte range and shape disagree; download the file again")
    return tensors


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


def _is_tied(config: Mapping[str, Any]) -> bool:
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


_identities: dict[str, dict[str, str]] = {}


def _tokenizer_identity(directory: Path) -> dict[str, str]:
    """Part -> digest of what tokenization depends on, equal for files that tokenize alike.

    Models to be combined mostly have the same files, which are taken apart once: 0.15 s for GPT-2's.
    """
    files = [directory / file for file in TOKENIZER_FILES if (directory / file).exists()]
    digest = hashlib.sha256(b"\0".join(part for file in files for part in (file.name.encode(), file.read_bytes())))
    if digest.hexdigest() not in _identities:
        _identities[digest.hexdigest()] = _tokenizer_parts(directory)
    return _identities[digest.hexdigest()]


def _tokenizer_parts(directory: Path) -> dict[str, str]:
    """What ``_tokenizer_identity`` returns.

    Not the files' bytes: saving again reorders and reindents JSON, stores the padding and truncation last used, and
    rewrites defaults (measured with transformers 5: ``post_processor``, ``use_regex``, ``normalized``).
    """
    parts: dict[str, Any] = {}
    if (directory / "tokenizer.json").exists():
        content = _read_json(directory / "tokenizer.json", "")
        model, added = content["model"], content.get("added_tokens") or []
        vocabulary = model["vocab"]
        if isinstance(vocabulary, dict):
            vocabulary = vocabulary | {token["content"]: token["id"] for token in added}
        parts["vocabulary"] = vocabulary
        if "merges" in model:
            parts["merges"] = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
        settings = {key: value for key, value in model.items() if key not in ("vocab", "merges")}
        parts["model settings"] = _without_defaults(settings)
        flags = ("lstrip", "rstrip", "single_word")
        parts["added tokens"] = sorted([token["id"], *(token.get(flag, False) for flag in flags)] for token in added)
        parts["normalizer"] = _without_defaults(content.get("normalizer"))
        parts["pre-tokenizer"] = _without_defaults(content.get("pre_tokenizer"))
        parts["special tokens around a text"] = _template(content.get("post_processor"))
    elif (directory / "vocab.json").exists():
        vocabulary = _read_json(directory / "vocab.json", "")
        if (directory / "added_tokens.json").exists():
            vocabulary |= _read_json(directory / "added_tokens.json", "")
        parts["vocabulary"] = vocabulary
        merges = directory / "merges.txt"
        if not merges.exists():
            raise UserError(f"{merges}: missing beside vocab.json; save the tokenizer with save_pretrained")
        lines = merges.read_text(encoding="utf-8").split("\n")
        parts["merges"] = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    elif (directory / "tokenizer.model").exists():
        parts["sentencepiece model"] = hashlib.sha256((directory / "tokenizer.model").read_bytes()).hexdigest()
    else:
        raise UserError(f"{directory}: no tokenizer (tokenizer.json, or vocab.json); save it with save_pretrained")
    return {
        part: hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest() for part, value in parts.items()
    }


def _without_defaults(value: Any) -> Any:
    """Drop entries that some versions write and others leave out: empty, false, and what affects offsets only."""
    if isinstance(value, list):
        return [_without_defaults(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_defaults(item)
        for key, item in value.items()
        if item not in (None, False, "") and key != "trim_offsets" and (key, item) not in (("use_regex", True),)
    }


def _template(post_processor: Any) -> list[Any]:
    """The special tokens that are put around a single text, in order, with the text's own place."""
    steps = post_processor["processors"] if (post_processor or {}).get("type") == "Sequence" else [post_processor]
    pieces = [piece for step in steps if step for piece in step.get("single", [])]
    return pieces if any("SpecialToken" in piece for piece in pieces) else []

"""Hugging Face checkpoints as maps of named tensors, read from file headers: no weight is loaded, no torch needed.

Format of a safetensors file (https://huggingface.co/docs/safetensors): 8 bytes with the length of the header (little
endian), the header (JSON: name -> dtype, shape, data_offsets), then the data, to which the offsets refer.
"""

import dataclasses
import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.model_folders import CONTEXT, TOKENIZER_FILES, model_files, read_index, read_json

ITEM_SIZES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
"""Bytes per element of the dtypes that we know, by their names in safetensors."""

# safetensors' own limit.
_LONGEST_HEADER = 100_000_000

# `save_pretrained` of a model with a head puts the base model's name in front; hub files of these types lack it.
_PREFIXES = {"gpt2": "transformer.", "bloom": "transformer."}

# Output and input embeddings, which are one tensor when tied (last parts of their names, over architectures).
_HEADS = ("lm_head.weight", "embed_out.weight")
_EMBEDDINGS = ("wte.weight", "embed_tokens.weight", "embed_in.weight", "word_embeddings.weight")

# Config keys in which models that can be merged may differ: provenance, training, special tokens, other heads.
_FREE_KEYS = re.compile(
    r"_.*|architectures|transformers_version|(torch_)?dtype|use_cache|gradient_checkpointing|output_past"
    r"|.*(dropout|_pdrop).*|initializer_range|(bos|eos|pad)_token_id|task_specific_params|summary_.*|problem_type"
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
        config = read_json(directory / "config.json", "not a model directory: save one with save_pretrained")
        tensors = _canonical(_read_tensors(directory), config)
        _check_vocabulary(directory, config, tensors)
        tied = _tied_pair(tensors) if _is_tied(config) else None
        if tied:
            tensors = {name: tensor for name, tensor in tensors.items() if tensor is not tied[0]}
        return cls(directory, config, tensors, tied, _tokenizer_identity(directory))


def _to_log(line: str) -> None:
    print(line, file=sys.stderr)


def check_compatible(
    models: Mapping[str, str | Path], tell: Callable[[str], object] = _to_log
) -> dict[str, Checkpoint]:
    """The checkpoints of ``models`` (name -> directory), if they can be averaged; reads headers only.

    All have the tensor names of the first: files of one architecture may differ in what stands before the names of the
    base model. ``tell`` takes a line on each model that differs from the first in what no weight depends on.

    Raises ``UserError`` naming two models, the first difference in architecture, tensor names, shapes or tokenizer,
    and what to do.
    """
    checkpoints = {name: Checkpoint.open(directory) for name, directory in models.items()}
    (first, reference), *others = checkpoints.items()
    for name, opened in others:
        checkpoint = checkpoints[name] = _renamed(opened, reference)
        for difference, remedy in _differences(reference, checkpoint):
            raise UserError(
                f"models {first} ({reference.directory}) and {name} ({checkpoint.directory}) cannot be combined: "
                f"{difference}; {remedy}"
            )
        if apart := list(_harmless_differences(reference.config, checkpoint.config)):
            tell(f"models {first} and {name} can be combined, though config.json differs: {', '.join(apart)}")
    return checkpoints


def shortest_context(checkpoints: Iterable[Checkpoint]) -> int | None:
    """The number of tokens that all of these models can read, as far as ``max_position_embeddings`` tells it."""
    return min((checkpoint.config[CONTEXT] for checkpoint in checkpoints if CONTEXT in checkpoint.config), default=None)


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


def _renamed(checkpoint: Checkpoint, reference: Checkpoint) -> Checkpoint:
    """``checkpoint`` with the tensor names of ``reference``, where a prefix is all that one has and the other lacks."""
    own = sorted(checkpoint.tensors.keys() - reference.tensors.keys())
    other = sorted(reference.tensors.keys() - checkpoint.tensors.keys())
    if not own or len(own) != len(other):
        return checkpoint
    longer, shorter = (own, other) if len(own[0]) > len(other[0]) else (other, own)
    prefix = longer[0].removesuffix(shorter[0])
    if not prefix.endswith(".") or longer != [prefix + name for name in shorter]:
        return checkpoint
    names = dict(zip(own, other, strict=True))
    tensors = {names.get(name, name): tensor for name, tensor in checkpoint.tensors.items()}
    return dataclasses.replace(checkpoint, tensors=dict(sorted(tensors.items())))


def _harmless_differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[str]:
    """What is told of two configurations that can be combined."""
    for key in ("bos_token_id", "eos_token_id", "pad_token_id", CONTEXT):
        if key in one and key in two and one[key] != two[key]:
            smaller = " (merged models have the smaller one)" if key == CONTEXT else ""
            yield f"{key} is {one[key]} and {two[key]}{smaller}"


def _differences(one: Checkpoint, two: Checkpoint) -> Iterator[tuple[str, str]]:
    """(difference, remedy) pairs, the most telling first."""
    same_origin = "use models fine-tuned from the same one"
    rope_one, rope_two = _rope(one.config), _rope(two.config)
    keys = [key for key in one.config if key in two.config and not _FREE_KEYS.fullmatch(key)]
    if _is_free_context(rope_one) and _is_free_context(rope_two):
        keys = [key for key in keys if key != CONTEXT]
    # Versions of transformers write different sets of keys: those in one file only say nothing.
    for key in sorted(keys, key=lambda key: (key != "model_type", key != "vocab_size", key)):
        if key in _ROPE_KEYS or one.config[key] == two.config[key]:
            continue
        difference = f"config.json: {key} is {one.config[key]} and {two.config[key]}"
        yield difference, (_other_rows(one, two) if key == "vocab_size" else None) or same_origin
    for key in sorted(rope_one.keys() & rope_two.keys()):
        if rope_one[key] != rope_two[key]:
            yield f"config.json: {key} is {rope_one[key]} and {rope_two[key]}", same_origin
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


_ROPE_KEYS = ("rope_theta", "rope_scaling", "rope_parameters")


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of rotary position embeddings, which older versions of transformers wrote under other keys."""
    rope: dict[str, Any] = {} if config.get("rope_theta") is None else {"rope_theta": config["rope_theta"]}
    for key in ("rope_scaling", "rope_parameters"):
        # What is no mapping is left to transformers, which refuses it when the model is imported.
        if isinstance(config.get(key), Mapping):
            rope |= config[key]
    if "type" in rope:
        rope.setdefault("rope_type", rope.pop("type"))
    return {"rope_type": "default", **rope} if rope else {}


def _is_free_context(rope: Mapping[str, Any]) -> bool:
    """Whether a model with these rotary embeddings computes the same whatever context its configuration names.

    Other positions lie in tables of that length, or are scaled by it (as by the types dynamic and yarn).
    """
    return rope.get("rope_type") in ("default", "linear", "llama3")


def _other_rows(one: Checkpoint, two: Checkpoint) -> str | None:
    """How to make the vocabularies of two models equal if one is the other's with rows added, else None."""
    small, large = sorted((one, two), key=lambda checkpoint: checkpoint.config["vocab_size"])
    rows, more = (checkpoint.config["vocab_size"] for checkpoint in (small, large))
    tokens, all_tokens = _vocabulary(small.directory), _vocabulary(large.directory)
    if not tokens or any(all_tokens.get(index) != token for index, token in tokens.items()):
        return None
    added = [repr(token) for index, token in sorted(all_tokens.items()) if index >= rows]
    which = f"row {rows}" if more == rows + 1 else f"rows {rows} to {more - 1}"
    held = ", ".join(added[:5]) + ", ..." * (len(added) > 5) if added else "no token"
    return (
        f"{large.directory} has {which} more, with {held} of its tokenizer; if your texts do not need them, cut them "
        f"off: model = AutoModelForCausalLM.from_pretrained({str(large.directory)!r}); "
        f"model.resize_token_embeddings({rows}); model.save_pretrained('cut'), and copy the other tokenizer there"
    )


def _vocabulary(directory: Path) -> dict[int, str]:
    """Tokens by their ids, of a folder with a ``tokenizer.json``; of another kind of tokenizer, nothing."""
    path = directory / "tokenizer.json"
    if not path.exists():
        return {}
    content = read_json(path, "")
    vocabulary = content["model"]["vocab"]
    ids = dict(vocabulary) if isinstance(vocabulary, dict) else {piece[0]: i for i, piece in enumerate(vocabulary)}
    ids |= {token["content"]: token["id"] for token in content.get("added_tokens") or []}
    return {index: token for token, index in ids.items()}


def _tokenizer_differences(one: Mapping[str, str], two: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    same_tokenizer = "save the tokenizer that the weights were trained with in both"
    shared = [part for part in one if part in two]
    if not shared:
        yield f"tokenizers are of different kinds ({', '.join([*one, *two])})", same_tokenizer
    for part in shared:
        if one[part] != two[part]:
            yield f"tokenizers differ in their {part}", same_tokenizer


def _read_tensors(directory: Path) -> dict[str, Tensor]:
    """All tensors under the names in the files, from one file or from the shards of an index."""
    single, index = directory / "model.safetensors", directory / "model.safetensors.index.json"
    if single.exists():
        return _read_header(single)
    if index.exists():
        weight_map = read_index(index)
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
        if length > _LONGEST_HEADER:
            raise UserError(
                f"{path}: has a header of {length} bytes, where safetensors allows {_LONGEST_HEADER}; copy or download "
                "it again"
            )
        try:
            header = json.loads(handle.read(length))
            tensors = {
                name: _tensor(name, entry, path, 8 + length) for name, entry in header.items() if name != "__metadata__"
            }
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
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
    # As safetensors itself wants it: one tensor behind the other.
    place = 8 + length
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.start != place:
            raise UserError(
                f"{path}: tensor {tensor.name} begins at byte {tensor.start}, what lies before it ends at {place}; "
                "download the file again"
            )
        place = tensor.end
    return tensors


def _tensor(name: str, entry: Mapping[str, Any], path: Path, data: int) -> Tensor:
    """A tensor by its entry in a header; data begin at byte ``data``. Raises ``ValueError`` for what is no entry."""
    dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    numbers = [*shape, start, end]
    if not isinstance(dtype, str) or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"tensor {name}: dtype {dtype}, shape {shape}, data_offsets {[start, end]}")
    return Tensor(name, dtype, tuple(shape), path, data + start, data + end)


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
        try:
            _identities[digest.hexdigest()] = _tokenizer_parts(directory)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{directory}: damaged tokenizer ({error!r}); copy or download it again") from None
    return _identities[digest.hexdigest()]


def _tokenizer_parts(directory: Path) -> dict[str, str]:
    """What ``_tokenizer_identity`` returns.

    Not the files' bytes: saving again reorders and reindents JSON, stores the padding and truncation last used, and
    rewrites defaults (measured with transformers 5: ``post_processor``, ``use_regex``, ``normalized``).
    """
    parts: dict[str, Any] = {}
    if (directory / "tokenizer.json").exists():
        content = read_json(directory / "tokenizer.json", "")
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
        vocabulary = read_json(directory / "vocab.json", "")
        if (directory / "added_tokens.json").exists():
            vocabulary |= read_json(directory / "added_tokens.json", "")
        parts["vocabulary"] = vocabulary
        merges = directory / "merges.txt"
        if not merges.exists():
            raise UserError(f"{merges}: missing beside vocab.json; save the tokenizer with save_pretrained")
        lines = merges.read_text(encoding="utf-8").split("\n")
        parts["merges"] = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    else:
        # Of another kind (SentencePiece, WordPiece, tiktoken): what it makes of a text, its files alone tell.
        files = [file for file in model_files(directory) if file.name in TOKENIZER_FILES or file.suffix == ".tiktoken"]
        files = [file for file in files if file.suffix != ".json" and file.name != "chat_template.jinja"]
        if not files:
            raise UserError(f"{directory}: no tokenizer (tokenizer.json, or vocab.json); save it with save_pretrained")
        parts = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
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

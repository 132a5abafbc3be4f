"""Which models can be combined: same architecture, tensors and tokenizer, by configuration and headers alone."""

import dataclasses
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.checkpoints import Checkpoint, is_tied
from lm_interpolation.models.model_folders import CONTEXT
from lm_interpolation.models.tokenizer_files import tokenizer_differences, vocabulary_of

# Config keys in which models that can be merged may differ: provenance, training, special tokens, other heads.
_FREE_KEYS = re.compile(
    r"_.*|architectures|transformers_version|(torch_)?dtype|use_cache|gradient_checkpointing|output_past"
    r"|.*(dropout|_pdrop).*|initializer_range|(bos|eos|pad)_token_id|task_specific_params|summary_.*|problem_type"
    r"|id2label|label2id|n_ctx|is_decoder|pretraining_tp|output_(attentions|hidden_states)"
)


def to_log(line: str) -> None:
    """Print a line to standard error."""
    print(line, file=sys.stderr)


def check_compatible(models: Mapping[str, str | Path], tell: Callable[[str], object] = to_log) -> dict[str, Checkpoint]:
    """The checkpoints of ``models`` (name -> directory), if they can be averaged; reads headers only.

    Raises ``UserError`` as ``check_alike`` does.
    """
    return check_alike({name: Checkpoint.open(directory) for name, directory in models.items()}, tell)


def check_alike(opened: Mapping[str, Checkpoint], tell: Callable[[str], object] = to_log) -> dict[str, Checkpoint]:
    """The ``opened`` checkpoints, if they can be averaged.

    All have the tensor names of the first: files of one architecture may differ in the prefix of the base model's
    names. ``tell`` is called with a line on each model that differs from the first in ways that no weight depends on.

    Raises ``UserError`` naming two models, the first difference in architecture, tensor names, shapes or tokenizer,
    and what to do.
    """
    checkpoints = dict(opened)
    (first, reference), *others = checkpoints.items()
    for name, other in others:
        checkpoint = checkpoints[name] = _renamed(other, reference)
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
    """The note about two configurations that can be combined."""
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
    if is_tied(one.config) != is_tied(two.config):
        values = f"{is_tied(one.config)} and {is_tied(two.config)}"
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
    yield from tokenizer_differences(one.tokenizer, two.tokenizer)


_ROPE_KEYS = ("rope_theta", "rope_scaling", "rope_parameters")


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of rotary position embeddings, which older versions of transformers wrote under other keys."""
    rope: dict[str, Any] = {} if config.get("rope_theta") is None else {"rope_theta": config["rope_theta"]}
    for key in ("rope_scaling", "rope_parameters"):
        # Anything but a mapping is left to transformers, which refuses it when the model is imported.
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
    """How to make the vocabularies of two models equal if one extends the other by further rows, else None."""
    small, large = sorted((one, two), key=lambda checkpoint: checkpoint.config["vocab_size"])
    rows, more = (checkpoint.config["vocab_size"] for checkpoint in (small, large))
    tokens, all_tokens = vocabulary_of(small.directory), vocabulary_of(large.directory)
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

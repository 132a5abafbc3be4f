"""Which tokenizers turn text into the same tokens, by their files alone."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.model_folders import TOKENIZER_FILES, model_files, read_json


def check_same_tokenizer(models: Mapping[str, str | Path]) -> None:
    """Check that ``models`` (name -> directory), of whatever architecture, turn text into the same tokens.

    Raises ``UserError`` naming two models, the first difference of their tokenizers and what to do, or a directory
    without a tokenizer.
    """
    tokenizers = {name: tokenizer_identity(Path(directory)) for name, directory in models.items()}
    (first, reference), *others = tokenizers.items()
    for name, tokenizer in others:
        for difference, remedy in tokenizer_differences(reference, tokenizer):
            raise UserError(
                f"models {first} ({models[first]}) and {name} ({models[name]}) cannot be combined: "
                f"{difference}; {remedy}"
            )


def vocabulary_of(directory: Path) -> dict[int, str]:
    """Tokens by their ids, of a folder with a ``tokenizer.json``; of another kind of tokenizer, nothing."""
    path = directory / "tokenizer.json"
    if not path.exists():
        return {}
    content = read_json(path, "")
    vocabulary = content["model"]["vocab"]
    ids = dict(vocabulary) if isinstance(vocabulary, dict) else {piece[0]: i for i, piece in enumerate(vocabulary)}
    ids |= {token["content"]: token["id"] for token in content.get("added_tokens") or []}
    return {index: token for token, index in ids.items()}


def tokenizer_differences(one: Mapping[str, str], two: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    same_tokenizer = "save the tokenizer that the weights were trained with in both"
    shared = [part for part in one if part in two]
    if not shared:
        yield f"tokenizers are of different kinds ({', '.join([*one, *two])})", same_tokenizer
    for part in shared:
        if one[part] != two[part]:
            yield f"tokenizers differ in their {part}", same_tokenizer


_identities: dict[str, dict[str, str]] = {}


def tokenizer_identity(directory: Path) -> dict[str, str]:
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
    """What ``tokenizer_identity`` returns.

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
        # The token of a gap, which no text holds, has other flags if it was saved by older versions.
        mask = _mask_token(directory)
        parts["added tokens"] = sorted(
            [token["id"], *(token.get(flag, False) for flag in flags if token["content"] != mask)] for token in added
        )
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


def _mask_token(directory: Path) -> str | None:
    """The token that a masked language model fills in, if the tokenizer has one."""
    path = directory / "tokenizer_config.json"
    mask = read_json(path, "").get("mask_token") if path.exists() else None
    return mask["content"] if isinstance(mask, dict) else mask


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

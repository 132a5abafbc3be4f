"""Configuration files of mergekit 0.1.5 (github.com/arcee-ai/mergekit, config.py), as they are written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_interpolation.commands.mergekit.methods import METHODS
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config_files import read_config
from lm_interpolation.study.kinds.base import hint

KEYS = frozenset(
    {
        "merge_method",
        "models",
        "slices",
        "modules",
        "base_model",
        "parameters",
        "dtype",
        "out_dtype",
        "tokenizer_source",
        "tokenizer",
        "chat_template",
    }
)
"""The keys that mergekit reads."""


@dataclass(frozen=True)
class Reference:
    """A model: ``path`` is a folder, or the id of a hub model; ``revision`` may be empty."""

    path: str
    revision: str = ""

    def __str__(self) -> str:
        return f"{self.path}@{self.revision}" if self.revision else self.path

    @property
    def is_local(self) -> bool:
        """Whether it is a folder, as mergekit decides it: it is there, or the path cannot be the id of a hub model."""
        return not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", self.path) or self.path[0] == "." or Path(self.path).exists()


@dataclass(frozen=True)
class Source:
    """A model in a piece, with the parameters that are set for it."""

    model: Reference
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Piece:
    """Consecutive blocks of the result: ``[start, stop)``, or all of the models, where that is None."""

    sources: Sequence[Source]
    blocks: tuple[int, int] | None
    parameters: Mapping[str, Any]

    def source(self, model: Reference) -> Source | None:
        return next((source for source in self.sources if source.model == model), None)


@dataclass(frozen=True)
class Merge:
    """A configuration whose pieces cover a model in order. ``models`` holds all models, the base among them."""

    method: str
    base: Reference | None
    pieces: Sequence[Piece]
    parameters: Mapping[str, Any]
    written: Mapping[str, Any]

    @property
    def models(self) -> list[Reference]:
        found = [source.model for piece in self.pieces for source in piece.sources]
        return list(dict.fromkeys(([self.base] if self.base else []) + found))

    @property
    def others(self) -> list[Reference]:
        """All models but the base."""
        return [model for model in self.models if model != self.base]


def read_merge(file: str) -> Merge:
    """The configuration in ``file``. Raises ``UserError``, with one line for each thing that a study cannot say."""
    written = read_config(file)
    try:
        return _merge(written)
    except UserError as error:
        raise error.at(file) from None


def _merge(written: Mapping[str, Any]) -> Merge:
    if "merge_method" not in written:
        raise UserError("merge_method is missing, so this is no configuration of mergekit-yaml; give one")
    method = written["merge_method"]
    if method not in METHODS:
        raise UserError(
            f"merge_method: {method!r} has no counterpart here; {hint(str(method), METHODS, 'those with one:')}"
        )
    lines = [*_refused(written)]
    if len([key for key in ("models", "slices", "modules") if written.get(key)]) != 1:
        lines.append("exactly one of models, slices and modules is needed, as in mergekit; give one of them")
    if lines:
        raise UserError(*lines)
    base = reference(written["base_model"], "base_model") if written.get("base_model") is not None else None
    if written.get("slices"):
        pieces = _slices(_list(written["slices"], "slices"), base)
    else:
        pieces = [_whole(_list(written["models"], "models"), base)]
    merge = Merge(method, base, pieces, _mapping(written.get("parameters"), "parameters"), written)
    if METHODS[method].needs_base and base is None:
        raise UserError(f"base_model is missing, which {method} needs; add it")
    return merge


def _refused(written: Mapping[str, Any]) -> list[str]:
    """Lines on what has no counterpart here, whatever the method."""
    lines = []
    if written.get("modules"):
        lines.append(
            "modules: models of several modules (text and images) are not merged here; export the language model and "
            "give models or slices"
        )
    tokenizer = _mapping(written.get("tokenizer"), "tokenizer")
    source = "union" if tokenizer and "source" not in tokenizer else tokenizer.get("source")
    for key, value in (("tokenizer_source", written.get("tokenizer_source")), ("tokenizer.source", source)):
        if value == "union":
            lines.append(
                f"{key}: union makes a vocabulary of several, and models are merged here only if their tokenizers are "
                "equal; if they are, remove the line, else give all models one tokenizer first"
            )
    for key in ("tokens", "pad_to_multiple_of"):
        if tokenizer.get(key):
            lines.append(
                f"tokenizer.{key}: embeddings are not changed here; change them in the models first, and remove it"
            )
    return lines


def _whole(models: Sequence[Any], base: Reference | None) -> Piece:
    sources = [_source(entry, f"models.{index}") for index, entry in enumerate(models)]
    if base and base not in [source.model for source in sources]:
        sources.append(Source(base, {}))
    _once(sources, "models")
    return Piece(sources, None, {})


def _slices(slices: Sequence[Any], base: Reference | None) -> list[Piece]:
    pieces: list[Piece] = []
    lines = []
    end = 0
    for index, entry in enumerate(slices):
        path = f"slices.{index}"
        part = _mapping(entry, path)
        if part.get("base_model") is not None and reference(part["base_model"], f"{path}.base_model") != base:
            lines.append(f"{path}.base_model: a method has one base here; give each slice the same")
        written = _list(part.get("sources"), f"{path}.sources")
        sources = [_source(source, f"{path}.sources.{number}") for number, source in enumerate(written)]
        _once(sources, path)
        ranges = [_blocks(source, f"{path}.sources.{number}") for number, source in enumerate(written)]
        if len(set(ranges)) > 1:
            lines.append(
                f"{path}: takes blocks {_show(ranges)}, but a block is combined here only with the same block of the "
                "other models; give one layer_range"
            )
        elif ranges[0][0] != end:
            what = "again" if ranges[0][0] < end else f"after {end - 1}" if end else "first"
            lines.append(
                f"{path}: block {ranges[0][0]} comes {what}, but the result has here the blocks of its models, each "
                "once and in order (no stacking); continue where the slice before ends"
            )
        end = ranges[0][1]
        pieces.append(Piece(sources, ranges[0], _mapping(part.get("parameters"), f"{path}.parameters")))
    if lines:
        raise UserError(*lines)
    return pieces


def _show(ranges: Sequence[tuple[int, int]]) -> str:
    return " and ".join(f"{start} to {stop - 1}" for start, stop in ranges)


def _blocks(source: Mapping[str, Any], path: str) -> tuple[int, int]:
    found = source.get("layer_range")
    if (
        not isinstance(found, list)
        or len(found) != 2
        or not all(isinstance(end, int) for end in found)
        or not 0 <= found[0] < found[1]
    ):
        raise UserError(f"{path}.layer_range: is {found!r}; give the first block and the one after the last: [0, 32]")
    return found[0], found[1]


def _source(entry: Any, path: str) -> Source:
    source = _mapping(entry, path)
    parameters = _mapping(source.get("parameters"), f"{path}.parameters")
    return Source(reference(source.get("model"), f"{path}.model"), parameters)


def _once(sources: Sequence[Source], path: str) -> None:
    names = [str(source.model) for source in sources]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            raise UserError(f"{path}: {name} is there twice, which mergekit refuses; remove one")


def reference(value: Any, path: str) -> Reference:
    """The model that ``value`` names: ``PATH``, ``PATH@REVISION``, or a mapping. Raises ``UserError``."""
    written: Any = value
    more: dict[str, Any] = {}
    if isinstance(value, Mapping):
        written, more = value.get("model", value.get("path")), dict(value)
    if isinstance(written, Mapping):
        more |= written
        written = written.get("path")
    if not isinstance(written, str) or not written:
        raise UserError(f"{path}: is {value!r}; give a folder, or the id of a hub model (owner/name)")
    name, _, found = written.partition("+")
    if more.get("lora") or found:
        raise UserError(f"{path}: {written} is a model with an adapter; save the two as one model, and give that")
    if more.get("override_architecture"):
        raise UserError(f"{path}: override_architecture is not known here; remove it")
    name, _, at = name.partition("@")
    return Reference(name, at or more.get("revision") or "")


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UserError(f"{path}: is {value!r}; give a mapping")
    return value


def _list(value: Any, path: str) -> Sequence[Any]:
    if not isinstance(value, list) or not value:
        raise UserError(f"{path}: is {value!r}; give a list")
    return value

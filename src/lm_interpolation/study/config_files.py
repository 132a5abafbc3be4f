"""Configuration files, read as Snakemake reads them (JSON, else YAML) but strictly.

Snakemake takes the last of two equal keys, has no size limits, and names neither file nor line. Whatever it would
misread or fail on is an error here, in one line with the place.
"""

import json
import os
import stat
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from lm_interpolation.jobs.runtime import UserError, error_prefix

MAX_BYTES = 1_000_000
"""Size of a file. Snakemake reads about 150 kB a second."""
MAX_VALUES = 100_000
"""Values in a file, those behind each alias counted again."""
MAX_DEPTH = 40
"""Mappings and lists within each other. (Those of a study are at most eight.)"""

_TEMPLATE = "__use_yte__"
_TOO_DEEP = f"mappings and lists are nested more than {MAX_DEPTH} deep; flatten them"
_MERGE = "tag:yaml.org,2002:merge"


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The mapping in a file, as written. Raises ``UserError`` naming the file and the line if it is invalid.

    It refuses files that are neither JSON nor YAML, a key that a mapping has twice (a key beside ``<<`` may override
    merged ones), aliases that refer to a value that contains them, anything beyond the limits above, and
    ``__use_yte__``, which would make Snakemake run Python code from the file.
    """
    with error_prefix(str(path)):
        text = _read_text(Path(path))
        content = _parse(text)
        if not isinstance(content, dict):
            found = "is empty" if content is None else f"is not a mapping but {type(content).__name__}"
            raise UserError(f"{found}; give a configuration")
        if _TEMPLATE in content:
            raise UserError(f"{_TEMPLATE} lets a configuration run Python code, which no study needs; remove it")
    return content


def _read_text(path: Path) -> str:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"is {'a folder' if path.is_dir() else 'no regular file'}; give a file in YAML")
        if found.st_size > MAX_BYTES:
            raise UserError(
                f"has {found.st_size / 1e6:.1f} MB, a configuration at most {MAX_BYTES / 1e6:.0f}; keep texts in files "
                "of their own (prompts, corpora)"
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"cannot be read: {reason}; correct the path, or its permissions") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        raise UserError("is in UTF-16, or is not text; save it in UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"line {line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file in UTF-8") from None


def _parse(text: str) -> Any:
    try:
        content = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise UserError(_TOO_DEEP) from None
    except ValueError:
        pass
    else:
        _check_depth(content)
        return content
    try:
        # PyYAML's parser in Python: libyaml is faster but accepts different files.
        return _Loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        words = " ".join(" ".join(filter(None, (error.context, error.problem))).split())
        raise UserError(f"not a YAML file: {place}{words}; fix it") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(f"not a YAML file: line {line}: character U+{error.character:04X}; fix it") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise UserError(f"key {key!r} occurs twice in one mapping; remove one")
        mapping[key] = value
    return mapping


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for part in level
            if isinstance(part, dict | list)
            for item in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            return
    raise UserError(_TOO_DEEP)


class _Loader(yaml.SafeLoader):
    """Reads one document, strictly. Raises ``UserError`` or ``yaml.YAMLError``."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._count = 0
        # Number of values in a completely composed node; aliased values count each time they occur.
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self.anchors:
                target = id(self.anchors[event.anchor])
                if target not in self._sizes:
                    raise UserError(f"{_line(event)}: *{event.anchor} refers to a value that contains it; write it out")
                self._add(self._sizes[target], event)
            return super().compose_node(parent, index)
        before = self._count
        self._add(1, event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UserError(f"{_line(event)}: {_TOO_DEEP}")
        node = super().compose_node(parent, index)
        self._depth -= 1
        self._sizes[id(node)] = self._count - before
        return node

    def _add(self, values: int, event: yaml.Event) -> None:
        self._count += values
        if self._count > MAX_VALUES:
            raise UserError(
                f"{_line(event)}: more than {MAX_VALUES} values, counting aliased ones each time; shorten the file"
            )

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], str] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            name, line = (key.tag, key.value), _line(key)
            if name in lines:
                remedy = "give it a list: <<: [*one, *two]" if key.tag == _MERGE else "remove one"
                raise UserError(f"{line}: key {key.value!r} is there already, in {lines[name]}; {remedy}")
            lines[name] = line
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Hashable:
        try:
            return super().construct_object(node, deep)
        except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
            # PyYAML does not catch errors of int, float and date: "month must be in 1..12".
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None


def _line(place: Any) -> str:
    return f"line {place.start_mark.line + 1}"

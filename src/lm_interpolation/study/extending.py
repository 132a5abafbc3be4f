"""Configurations laid over others, by an override or by ``extends``: mappings merge key by key, lists are replaced.

A model comes from exactly one place. So where both say where (``models.<model>.start``), the upper one counts, and what
belongs only to the origin of the lower one is dropped: whoever has a folder says so and need not remove a hub id.
"""

import copy
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config_files import read_config
from lm_interpolation.study.config_values import show
from lm_interpolation.study.kinds.base import hint, keys_of
from lm_interpolation.study.kinds.catalog import ORIGINS, origins_named
from lm_interpolation.study.paths import is_file


class _Null(enum.Enum):
    """A null that has removed an entry of a lower file. It removes that of a file that the study extends, too."""

    DONE = enum.auto()


def extended(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A copy of ``config`` merged into the files that it ``extends``: mappings key by key; null removes a key.

    Of several files each is laid over those before it. Returns the copy with a line for each null that removes nothing.
    Raises ``UserError`` if a file does not exist or extends another one.
    """
    extends = config.get("extends")
    if extends is None:
        return _without_done(config), []
    paths = [extends] if isinstance(extends, str) else extends
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        raise UserError(f"config: extends is {show(extends)}; give the path of a file, or a list of paths")
    base: dict[str, Any] = {}
    for path in paths:
        if not is_file(path):
            raise UserError(f"config: extends: no file {path}; correct the path (relative ones start at {Path.cwd()})")
        read = read_config(path)
        if "extends" in read:
            raise UserError(f"{path}: extends another file itself; give a plain configuration")
        base = laid_over(base, read)
    own = {key: _entries(value, base.get(key)) for key, value in config.items() if key != "extends"}
    idle: list[str] = []
    return _merged(base, own, (), idle), idle


def laid_over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``base`` with the override ``own``.

    Null removes a key of ``base``, and stays: it removes that of a file that the study extends, too.
    """
    merged: dict[str, Any] = _merged(base, own, (), None)
    return merged


def _entries(section: Any, base: Any) -> Any:
    """A section that the base lacks, without null entries: an override has removed these."""
    if base is not None or not isinstance(section, Mapping):
        return section
    return {name: entry for name, entry in section.items() if entry not in (None, _Null.DONE)}


def _without_done(value: Any) -> Any:
    """A copy without entries that a null has removed."""
    if not isinstance(value, Mapping):
        return copy.deepcopy(value)
    return {key: _without_done(item) for key, item in value.items() if item is not _Null.DONE}


def _merged(base: Any, own: Any, path: tuple[Any, ...], idle: list[str] | None) -> Any:
    """``own``, which stands at ``path``, merged into ``base``.

    With ``idle``, null removes a key, and a line on each null that removes nothing is added there; else null stays.
    """
    if not isinstance(base, Mapping) or not isinstance(own, Mapping):
        return copy.deepcopy(own) if idle is None else _without_done(own)
    if path[:1] == ("models",) and path[2:] == ("start",):
        base, own = _of_one_origin(base, own)
    merged = {}
    # In the order of the base, so that an override does not move entries.
    for key in dict.fromkeys([*base, *own]):
        if key not in own:
            merged[key] = copy.deepcopy(base[key])
        elif idle is None and own[key] is None and base.get(key) is not None:
            merged[key] = _Null.DONE
        elif own[key] not in (None, _Null.DONE) or idle is None:
            merged[key] = _merged(base.get(key), own[key], (*path, key), idle)
        elif key not in base and own[key] is None:
            place = ".".join(map(str, (*path, key)))
            idle.append(f"config: {place}: null removes nothing; {hint(str(key), map(str, base), 'there are')}")
    return merged


def _of_one_origin(base: Mapping[Any, Any], own: Mapping[Any, Any]) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
    """Two mappings ``start``, without what an origin that ``own`` has and ``base`` lacks does not share with others."""
    named = origins_named([key for key, value in own.items() if value is not None])
    if len(named) != 1 or named[0].KEY in base:
        return base, own
    # A file of weights belongs to one folder or repository.
    shared = set(keys_of(named[0])) - {"gguf_file", "tokenizer_directory"}
    gone = {key for origin in ORIGINS for key in keys_of(origin)} - shared
    # Removing them by null as well is no mistake.
    kept = {key: value for key, value in own.items() if value is not None or key not in gone}
    return {key: value for key, value in base.items() if key not in gone}, kept


def wrote(config: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Whether ``config`` itself, not the file it extends, sets the value at a key path or part of it."""
    node: Any = config
    for key in path:
        if not isinstance(node, Mapping):
            return True
        if key not in node:
            return False
        node = node[key]
    return True

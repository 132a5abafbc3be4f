"""Configurations that extend another file: mappings merge key by key, lists are replaced, null removes."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config_files import read_config
from lm_interpolation.study.config_values import show
from lm_interpolation.study.kinds.base import hint
from lm_interpolation.study.paths import is_file


def extended(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A copy of ``config`` merged into the file that it ``extends``: mappings key by key; null removes a key.

    Returns it with a line for each null that removes nothing. Raises ``UserError`` if the file does not exist or
    extends another one.
    """
    path = config.get("extends")
    if path is None:
        return copy.deepcopy(dict(config)), []
    if not isinstance(path, str):
        raise UserError(f"config: extends is {show(path)}; give the path of a file")
    if not is_file(path):
        raise UserError(f"config: extends: no file {path}; correct the path (relative ones start at {Path.cwd()})")
    base = read_config(path)
    if "extends" in base:
        raise UserError(f"{path}: extends another file itself; give a plain configuration")
    own = {key: _entries(value, base.get(key)) for key, value in config.items() if key != "extends"}
    idle: list[str] = []
    return _merged(base, own, "", idle), idle


def _entries(section: Any, base: Any) -> Any:
    """A section that the base lacks, without null entries: an override has removed these."""
    if base is not None or not isinstance(section, Mapping):
        return section
    return {name: entry for name, entry in section.items() if entry is not None}


def _merged(base: Any, own: Any, path: str, idle: list[str]) -> Any:
    """``own`` merged into ``base``; a line on each null that removes nothing is added to ``idle``."""
    if not isinstance(base, Mapping) or not isinstance(own, Mapping):
        return copy.deepcopy(own)
    merged = {}
    # In the order of the base, so that an override does not move entries.
    for key in dict.fromkeys([*base, *own]):
        place = f"{path}.{key}" if path else str(key)
        if key not in own:
            merged[key] = copy.deepcopy(base[key])
        elif own[key] is not None:
            merged[key] = _merged(base.get(key), own[key], place, idle)
        elif key not in base:
            idle.append(f"config: {place}: null removes nothing; {hint(str(key), map(str, base), 'there are')}")
    return merged


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

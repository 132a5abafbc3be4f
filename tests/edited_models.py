"""Copies of model folders with something changed in them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def edited(start: Path, target: Path, edit: Callable[[Path], Any]) -> Path:
    """``target``, a copy of the folder ``start`` that ``edit`` has changed."""
    shutil.copytree(start, target)
    edit(target)
    return target


def edit_config(**values: Any) -> Callable[[Path], Any]:
    """Set keys of ``config.json``; None removes one."""

    def edit(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text()) | values
        kept = {key: value for key, value in config.items() if value is not None}
        (folder / "config.json").write_text(json.dumps(kept))

    return edit


def flipped(content: bytes, place: int) -> bytes:
    """``content`` with one bit of the byte at ``place`` flipped."""
    damaged = bytearray(content)
    damaged[place] ^= 1
    return bytes(damaged)

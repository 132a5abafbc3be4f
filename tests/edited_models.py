"""Copies of model folders with something changed in them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


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


def variants(of: Path, names: str, noise: float, folder: Path) -> dict[str, Path]:
    """Save one model per letter in the folder: the given one plus normal noise, seeded by the letter's place."""
    for seed, name in enumerate(names):
        model = AutoModelForCausalLM.from_pretrained(of)
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * noise)
        model.save_pretrained(folder / name)
        AutoTokenizer.from_pretrained(of).save_pretrained(folder / name)
    return {name: folder / name for name in names}

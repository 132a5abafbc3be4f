"""Checks for values that the schema cannot catch, and for grids that are too large to plan."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from lm_interpolation.jobs.runtime import UserError

MAX_POINTS = 20_000
"""Points of all sweeps of a study. Snakemake plans some 400 a second."""
MAX_TRIALS = 1_000
"""Combinations that a search tries."""

# Written as \ud83d, for example; no file can contain it.
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_values(value: Any, path: str) -> list[str]:
    """A line for each value that YAML can write but JSON Schema does not catch.

    These are NaN, infinity, numbers beyond the range of floats, lone surrogates, and keys that are not strings
    (``no:``).
    """
    if isinstance(value, Mapping):
        lines = []
        for key, item in value.items():
            if not isinstance(key, str):
                place = path or "the top level"
                lines.append(f"config: {place}: key {show(key)} is not a string; put it in quotes")
                continue
            lines += check_values(key, f"{path}: a key" if path else "a key")
            lines += check_values(item, f"{path}.{key}" if path else key)
        return lines
    if isinstance(value, list):
        return [line for index, item in enumerate(value) for line in check_values(item, f"{path}.{index}")]
    if isinstance(value, float) and not math.isfinite(value):
        return [f"config: {path} is {value}; give a finite number"]
    if isinstance(value, int) and abs(value) >= 2**63:
        return [f"config: {path} is an integer of {value.bit_length()} bits; give one of at most 63"]
    if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
        return [f"config: {path}: {show(value)} holds half a character; write the character itself"]
    return []


def check_sizes(config: Mapping[str, Any]) -> None:
    """Raise ``UserError`` for grids with more points or trials than Snakemake could plan, before building them."""
    points = 0
    for name, sweep in config["sweeps"].items():
        counts = [int(spec["count"]) if isinstance(spec, Mapping) else len(spec) for spec in sweep["grid"].values()]
        points += math.prod(counts) + len(sweep["anchors"])
        if points > MAX_POINTS:
            raise UserError(
                f"config: sweeps.{name}.grid: {points} points with those of the sweeps before it; give at most "
                f"{MAX_POINTS} together"
            )
    for name, search in config["searches"].items():
        trials = math.prod(map(len, search["grid"].values()))
        if trials > MAX_TRIALS:
            raise UserError(f"config: searches.{name}.grid: {trials} combinations; give at most {MAX_TRIALS}")


def show(value: Any) -> str:
    """``value`` roughly as written in the file, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."

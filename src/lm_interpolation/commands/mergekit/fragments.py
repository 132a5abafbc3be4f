"""What a configuration becomes, and how that is written: YAML with comments."""

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import yaml

from lm_interpolation.commands.mergekit.files import Merge, Reference
from lm_interpolation.commands.mergekit.tensors import Rule

WIDTH = 110
_LONGEST = 24


@dataclass
class Fragment:
    """A method with a sweep, whose point at ``at`` is what the configuration merges.

    ``weights`` holds the coefficients there, per unit of ``coordinate`` and without those of ``origin``, the model
    that the rest goes to. ``settings`` are the method's; without settings and ``rules`` there is no method.
    """

    origin: Reference
    coordinate: str
    weights: Mapping[Reference, Fraction]
    grid: Mapping[str, Sequence[Fraction]]
    at: Mapping[str, Fraction]
    settings: dict[str, Any] = field(default_factory=dict)
    rules: Sequence[Rule] = ()
    notes: list[str] = field(default_factory=list)


def write(fragment: Fragment, merge: Merge, file: str) -> str:
    """The fragment as YAML, in three sections of a study."""
    names = _names(merge.models)
    title = re.sub(r"[^a-z]", "-", merge.method)
    point = ",".join(f"{name}={number(value)}" for name, value in fragment.at.items())
    lines = [
        *_comment(
            f"From {file} (mergekit, {merge.method}). Lay it over a study that has prompts and scorers, or copy the "
            "sections into one: docs/methods.md."
        ),
        *_comment(f"What mergekit merges is the point {point} of the sweep {title}:"),
        f"#   lm-interpolation export --sweep {title} --point {point} --to DIR",
        *(["#", "# How it was translated:"] if fragment.notes else []),
        *(line for note in fragment.notes for line in _comment(note, "# - ", "#   ")),
        "",
        "models:",
    ]
    for model in merge.models:
        lines += [f"  {names[model]}:", "    task: language-model", f"    start: {_start(model)}"]
    method = bool(fragment.settings or fragment.rules)
    if method:
        lines += ["", "methods:", f"  {title}:"]
        lines += [f"    {key}: {_flow(value, names)}" for key, value in fragment.settings.items()]
        lines += ["    # The first pattern that matches a tensor counts."] if fragment.rules else []
        lines += ["    scale:"] if fragment.rules else []
        lines += [f"      - {{tensors: {json.dumps(name)}, factor: {number(value)}}}" for name, value in fragment.rules]
    direction = {names[model]: _rounded(weight) for model, weight in fragment.weights.items()}
    direction[names[fragment.origin]] = -sum(direction.values(), Fraction(0))
    grid = {name: list(values) for name, values in fragment.grid.items()}
    lines += [
        "",
        "sweeps:",
        f"  {title}:",
        *([f"    method: {title}"] if method else []),
        f"    origin: {{{names[fragment.origin]}: 1}}",
        f"    directions: {{{fragment.coordinate}: {_flow(direction, names)}}}",
        f"    grid: {_flow(grid, names)}",
        "    # prompts: [NAME]   # prompt sets of the study: without them there are no texts to score",
    ]
    return "\n".join(lines) + "\n"


def number(value: Fraction) -> str:
    """``value`` with at most six decimals."""
    return f"{float(_rounded(value)):.6f}".rstrip("0").rstrip(".")


def _rounded(value: Fraction) -> Fraction:
    return round(value, 6)


def _comment(text: str, first: str = "# ", others: str = "# ") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


def _flow(value: Any, names: Mapping[Reference, str]) -> str:
    if isinstance(value, Reference):
        return names[value]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item, names)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item, names) for item in value) + "]"
    return number(Fraction(value)) if isinstance(value, Fraction | int) else _scalar(value)


def _scalar(text: str) -> str:
    plain = re.fullmatch(r"[\w./-][\w./@-]*", text) and yaml.safe_load(text) == text
    return text if plain else json.dumps(text, ensure_ascii=False)


def _start(model: Reference) -> str:
    if model.is_local:
        return f"{{directory: {_scalar(model.path)}}}"
    if model.revision:
        return f"{{hub: {_scalar(model.path)}, revision: {_scalar(model.revision)}}}"
    return f"{{hub: {_scalar(model.path)}, revision: main}}  # pin a commit: main may change"


def _names(models: Iterable[Reference]) -> dict[Reference, str]:
    """Short names, each once: points are named after their models."""
    names: dict[Reference, str] = {}
    for model in models:
        last = re.split(r"[/\\]", model.path.rstrip("/\\"))[-1]
        name = re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-")[:_LONGEST].strip("-")
        name = name if re.match("[a-z]", name) else f"model-{name}".strip("-")
        # The name zero is reserved.
        taken, number = {*names.values(), "zero"}, 2
        found = name
        while found in taken:
            found, number = f"{name}-{number}", number + 1
        names[model] = found
    return names

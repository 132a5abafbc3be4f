"""Mistakes in a configuration, one line each: key path, what is wrong, and what to do."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic_core import ErrorDetails

from lm_interpolation.study.config_values import show
from lm_interpolation.study.kinds.base import Declaration, Either, close_to, field_name, hint, keys_of, tag, unmarked
from lm_interpolation.study.kinds.catalog import FAMILIES, ORIGINS, START
from lm_interpolation.study.kinds.study_config import StudyConfig

Keys = tuple[str | int, ...]

_TYPES = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "string_type": "a string",
    "float_type": "a number",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "bool_type": "true or false",
}
"""pydantic's error to the type that it asks for, as people call it."""
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "greater_than": ("more than", "gt"),
    "less_than": ("less than", "lt"),
}
_LENGTHS = {
    "too_short": ("at least", "min_length"),
    "too_long": ("at most", "max_length"),
    "string_too_short": ("at least", "min_length"),
    "string_too_long": ("at most", "max_length"),
}
_QUOTED = r"'([^']*)'"


def describe(errors: Sequence[ErrorDetails], root: type[Declaration] = StudyConfig) -> list[str]:
    """One line for each of pydantic's ``errors`` in a file that ``root`` declares, outer errors first."""
    places = [(place(error["loc"], root), error) for error in errors]
    placed = sorted(places, key=lambda pair: (len(pair[0]), str(pair[0])))
    unknown = [keys for keys, error in placed if error["type"] == "extra_forbidden"]
    lines = []
    for keys, error in placed:
        beside = [str(other[-1]) for other in unknown if other[:-1] == keys[:-1]]
        # The missing key may be the misspelt one.
        if error["type"] != "missing" or not close_to(str(keys[-1]), beside):
            lines.append(f"config: {_line(keys, error, root)}")
    return list(dict.fromkeys(lines))


class _Step(NamedTuple):
    """One step of pydantic's location: a key or the tag of one of several ``alternatives``, and the type there."""

    name: str | int
    type: Any
    alternatives: Mapping[str, Any]


def _steps(location: Sequence[str | int], root: type[Declaration]) -> Iterator[_Step]:
    annotation: Any = root
    for name in location:
        annotation, marks = unmarked(annotation)
        alternatives = next((mark.alternatives for mark in marks if isinstance(mark, Either)), {})
        if alternatives:
            annotation = alternatives[str(name)]
        elif isinstance(annotation, type) and issubclass(annotation, Declaration):
            field = annotation.model_fields.get(field_name(annotation, str(name)))
            annotation = Annotated[(field.annotation, *field.metadata, "a field")] if field else None
        elif get_origin(annotation) in (list, dict):
            annotation = get_args(annotation)[-1]
        yield _Step(name, annotation, alternatives)


def place(location: Sequence[str | int], root: type[Declaration] = StudyConfig) -> Keys:
    """The key path of pydantic's ``location``, which also contains tags of alternatives and invalid keys."""
    if location and location[-1] == "[key]":
        return place(location[:-2], root)
    return tuple(step.name for step in _steps(location, root) if not step.alternatives)


def _line(keys: Keys, error: ErrorDetails, root: type[Declaration]) -> str:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    path = _show(keys)
    if kind == "extra_forbidden":
        return _unknown(keys, error["loc"], root)
    if kind == "missing":
        return _missing(keys, error["loc"], root)
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _no_kind(keys, value, context)
    if kind in _TYPES:
        return f"{path} is {show(value)}; give {_wanted(value, _TYPES[kind])}"
    if kind == "literal_error":
        return f"{path} is {show(value)}; choose one of {', '.join(re.findall(_QUOTED, context['expected']))}"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{path} is {show(value)}; give {words} {context[bound]:g}"
    if kind in _LENGTHS:
        words, bound = _LENGTHS[kind]
        many = f"{words} {'one' if context[bound] == 1 else context[bound]}"
        if isinstance(value, str):
            return f"{path}: {show(value)} has {len(value)} characters; give {many}"
        return f"{path} {f'has {len(value)} entries' if len(value) else 'is empty'}; give {many}"
    if kind == "string_pattern_mismatch":
        return f"{path}: {show(value)} is not a name of the form {context['pattern']}; rename it"
    # Our own, see ``kinds.base``.
    if kind == "type":
        return f"{path} is {show(value)}; give {error['msg']}"
    if kind == "twice":
        return f"{path} is {show(value)}; {error['msg']}"
    if kind == "words":
        return f"{path}{error['msg']}"
    raise ValueError(f"no words for the error {kind!r} at {path}")


def _unknown(keys: Keys, location: Sequence[str | int], root: type[Declaration]) -> str:
    """A key that is unknown at its place: it is misspelt, or belongs to another kind of the same family."""
    name = str(keys[-1])
    *_, step = [_Step("", root, {}), *_steps(location[:-1], root)]
    for other in step.alternatives.values():
        if isinstance(other, type) and issubclass(other, Declaration) and name in keys_of(other):
            return f"{_show(keys)}: {_kind(keys, str(step.name))} has no use for it; remove it"
    known = keys_of(unmarked(step.type)[0])
    return f"unknown key {name!r} at {_show(keys[:-1])}; {hint(name, known, 'known keys:')}"


def _missing(keys: Keys, location: Sequence[str | int], root: type[Declaration]) -> str:
    """A missing key, and the kind that needs it."""
    *_, step = [_Step("", root, {}), *_steps(location[:-1], root)]
    what = f"{_kind(keys, str(step.name))} needs it" if step.alternatives else "add it (see config/README.md)"
    return f"key {str(keys[-1])!r} is missing at {_show(keys[:-1])}; {what}"


def _kind(keys: Keys, chosen: str) -> str:
    """The name of the kind ``chosen`` of the entry with these ``keys``."""
    if chosen == "split_from":
        return "a corpus that is split from another"
    if chosen == "classes_from":
        return "a corpus that has its classes from others"
    if chosen.startswith(START):
        return f"a start {chosen}"
    return f"{FAMILIES[str(keys[0])][0]} {chosen}" if keys[0] in FAMILIES else chosen


def _no_kind(keys: Keys, value: Any, context: Mapping[str, Any]) -> str:
    """An entry that does not name its kind, or a value of none of the possible types."""
    path = _show(keys)
    if keys[0] in FAMILIES and len(keys) == 2:
        if not isinstance(value, Mapping):
            return f"{path} is {show(value)}; give a mapping"
        key, kinds = FAMILIES[str(keys[0])]
        names = ", ".join(tag(kind, key) for kind in kinds)
        if key in value:
            return f"{path}.{key} is {show(value[key])}; choose one of {names}"
        return f"{path}: key {key!r} is missing; choose one of {names}"
    if keys[0] == "methods" and isinstance(value, Mapping):
        names = ", ".join(re.findall(_QUOTED, context["expected_tags"]))
        if "by" in value:
            return f"{path}.by is {show(value['by'])}; choose one of {names}"
        return f"{path}: key 'by' is missing; choose one of {names}"
    if keys[0] == "models" and keys[-1] == "start":
        if not isinstance(value, Mapping):
            return f"{path} is {show(value)}; give a mapping"
        origins = [origin.KEY for origin in ORIGINS]
        given = " and ".join(key for key in origins if key in value) or "none"
        return f"{path} has {given}; give exactly one of {', '.join(origins)}"
    return f"{path} is {show(value)}; give {' or '.join(re.findall(_QUOTED, context['expected_tags']))}"


def _show(keys: Keys) -> str:
    return ".".join(map(str, keys)) or "the top level"


def _wanted(value: Any, wanted: str) -> str:
    """The type that ``value`` should have, with a hint if it only looks like that type in YAML."""
    if wanted == "a string" and not isinstance(value, list | Mapping | None):
        return f"{wanted} (in quotes)"
    if isinstance(value, str) and wanted in ("a number", "an integer"):
        try:
            float(value)
        except ValueError:
            return wanted
        # YAML 1.1 reads 1e-4 as a string: it requires a decimal point before the exponent, and a sign.
        return f"{wanted} without quotes" + (", written as 1.0e-4" if "e" in value.lower() else "")
    return wanted

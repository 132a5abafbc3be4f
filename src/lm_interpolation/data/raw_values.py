"""Compares labels and cells of data files with the values that a study names, by type: booleans, numbers, nulls.

A value of the study is a boolean, a number, null or a string, as YAML reads it. A cell matches it within the limits
of the file format: 0 matches ``0``, ``0.0`` and "0"; true matches ``true`` and "True".
"""

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from lm_interpolation.jobs.runtime import UserError

Key = tuple[str, Any]
"""(kind, value), for comparison. The kind distinguishes true from 1."""

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,4})?", re.ASCII)
_NULL: Key = ("null", None)
# Words that YAML 1.1 reads as a boolean if they have no quotes.
_YAML_WORDS = {True: ("yes", "on"), False: ("no", "off")}


def value_key(value: Any) -> Key:
    """The key of a value of the study, or of a typed cell, for comparison. NaN is a missing number: null."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return _NULL
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float | Decimal):
        return "number", Decimal(str(value))
    return "string", str(value)


def cell_keys(cell: Any, untyped: bool) -> list[Key]:
    """The keys of all values of the study that a cell matches.

    ``untyped``: the file has only text (CSV), so an empty cell is null.
    """
    if not isinstance(cell, str):
        key = value_key(cell)
        return [key] if key == _NULL else [key, ("string", as_string(cell))]
    keys: list[Key] = [("string", cell)]
    word = cell.strip()
    if word.casefold() in ("true", "false"):
        keys.append(("boolean", word.casefold() == "true"))
    elif _NUMBER.fullmatch(word):
        keys.append(("number", Decimal(word)))
    elif untyped and not word:
        keys.append(_NULL)
    return keys


def is_number(cell: str) -> bool:
    """Whether a cell of an untyped file is a number."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def as_string(value: Any) -> str:
    """A value as people spell it: 3 for 3.0; true, false and null as YAML does."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def show_value(value: Any) -> str:
    """A value about as written in a study: strings in quotes, cut to a readable length."""
    text = repr(value) if isinstance(value, str) else as_string(value)
    return text if len(text) <= 40 else text[:37] + "..."


def quotes_hint(value: Any, cells: Iterable[Any]) -> str:
    """For an error: says that YAML made ``value`` of a word without quotes, if ``cells`` have that word."""
    if not isinstance(value, bool):
        return ""
    words = {cell.strip().casefold() for cell in cells if isinstance(cell, str)}
    word = next((word for word in _YAML_WORDS[value] if word in words), None)
    return f" (YAML reads {word} without quotes as {as_string(value)}: write '{word}')" if word else ""


def checked_text(value: Any, place: str) -> str:
    """``value`` if it is text that can be written as UTF-8; a ``UserError`` that names ``place`` otherwise."""
    if not isinstance(value, str):
        raise UserError(f"{place}: the text is {as_string(value)}, not a string; fix or drop the row")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            code = ord(value[error.start])
            raise UserError(
                f"{place}: half of a surrogate pair (\\u{code:04x}) in the text; fix or drop the row"
            ) from None
    return value

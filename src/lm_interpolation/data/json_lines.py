"""Files with one JSON object per line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_interpolation.data.data_files import read_lines
from lm_interpolation.data.raw_tables import Table
from lm_interpolation.jobs.runtime import UserError


def read_json_lines(path: Path, key: str, columns: Sequence[str], spec: Mapping[str, Any]) -> Table:
    """One JSON object per line; a dotted column (``prompt.text``) is a field of a nested object."""
    values: dict[str, list[Any]] = {column: [] for column in columns}
    for number, line in enumerate(read_lines(path, key, spec.get("encoding", "utf-8")), start=1):
        try:
            record = json.loads(line, object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{path}:{number}: malformed JSON, {error.msg} at column {error.colno}; fix the line"
            ) from None
        except (ValueError, RecursionError) as error:
            # A duplicate key, or numbers and nesting beyond what Python reads.
            raise UserError(f"{path}:{number}: cannot read the JSON, {error}; fix the line") from None
        if not isinstance(record, dict):
            raise UserError(f"{path}:{number}: not a JSON object but {type(record).__name__}; expected one per line")
        for column in columns:
            values[column].append(field_of(record, column, f"{path}:{number}"))
    return Table(values, lambda i: f"{path}:{i + 1}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ``ValueError`` for a duplicate key, where Python would keep the last."""
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return record


def field_of(record: Mapping[str, Any], column: str, place: str) -> Any:
    """The value of ``column``; a dotted name means a nested field. ``UserError`` if there is none."""
    if column in record:
        return record[column]
    value: Any = record
    for part in column.split("."):
        if not isinstance(value, dict) or part not in value:
            raise UserError(f"{place}: no column {column!r}; the line has {', '.join(_dotted_names(record))}")
        value = value[part]
    return value


def _dotted_names(record: Mapping[str, Any]) -> list[str]:
    names = []
    for name, value in record.items():
        names += [f"{name}.{inner}" for inner in _dotted_names(value)] if isinstance(value, dict) else [name]
    return names

"""Tables of separated values. Quotes that are text need care: they would swallow all rows up to the next quote.

A quote that opens a field by mistake extends to the next such quote, and all rows between become one text.
Nothing is malformed then. The sign is that lines of the text are rows themselves.
"""

import csv
import io
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_interpolation.data.data_files import read_lines, read_text, require_columns
from lm_interpolation.data.raw_values import is_number
from lm_interpolation.jobs.runtime import UserError, announce

_LINE_END = re.compile("\r\n|\r|\n")
# Separators that also occur in prose: a line with as many of them as a row proves nothing yet.
_PROSE = frozenset(",;: -./")
_FEW = 20
"""A column of categories has at most this many different values."""
RENAME_IN_COLUMNS = "give them different names there"
_RENAME_IN_HEADER = "rename one in the header line, or take that line out and name the columns under `columns`"


@dataclass(frozen=True)
class _Row:
    line: int
    """Number of its last line in the file, from 1."""
    fields: list[str]


def read_csv(
    path: Path, key: str, columns: Sequence[str], spec: Mapping[str, Any]
) -> tuple[dict[str, list[str]], list[int]]:
    """The cells of ``columns`` (the first holds the texts), and the number of the last line of each row.

    With ``quoting: false`` quotes are plain characters and each line is a row. Raises ``UserError`` for a column that
    is missing or occurs twice, a row of another length, a malformed row, and quotes that swallow rows.
    """
    names: list[str] | None = spec.get("columns")
    header: list[str] = []
    values: dict[str, list[str]] = {column: [] for column in columns}
    lines: list[int] = []
    picks: list[tuple[list[str], int]] = []
    spanning: list[_Row] = []
    last = 0
    for row in _rows(path, key, spec):
        if not picks:
            header = names or row.fields
            require_columns(columns, header, str(path), RENAME_IN_COLUMNS if names else _RENAME_IN_HEADER)
            picks = [(values[column], header.index(column)) for column in columns]
            if names is None:
                last = row.line
                continue
        if len(row.fields) != len(header):
            raise UserError(
                f"{path}:{row.line}: {len(row.fields)} fields where {len(header)} columns are expected "
                f"({', '.join(header)}); check `separator`, `quoting` and `columns`"
            )
        for column_values, index in picks:
            column_values.append(row.fields[index])
        lines.append(row.line)
        # There may be blank lines between rows.
        if row.line > last + 1 and any(map(_LINE_END.search, row.fields)):
            spanning.append(row)
        last = row.line
    if not picks:
        raise UserError(f"{path}: the file is empty; {key} needs a table with the columns {', '.join(columns)}")
    if spanning:
        # With `quoting: true` the user knows about such texts.
        text = picks[0][1]
        if "quoting" not in spec:
            _refuse_swallowed_rows(path, key, text, spanning, spec)
        _announce_spanning(path, key, text, [row for row in spanning if _LINE_END.search(row.fields[text])])
    return values, lines


def _rows(path: Path, key: str, spec: Mapping[str, Any]) -> Iterator[_Row]:
    """The rows that are not blank."""
    separator, encoding = spec.get("separator", ","), spec.get("encoding", "utf-8")
    if not spec.get("quoting", True):
        for number, line in enumerate(read_lines(path, key, encoding), start=1):
            if line:
                yield _Row(number, line.split(separator))
        return
    # The default of 131,072 characters is less than a long text.
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(read_text(path, key, encoding), newline=""), delimiter=separator, strict=True)
    try:
        for fields in reader:
            if fields:
                yield _Row(reader.line_num, fields)
    except csv.Error as error:
        raise UserError(
            f"{path}:{reader.line_num}: malformed row, {error}; fix it, or set `quoting: false` if quotes are text"
        ) from None


def _announce_spanning(path: Path, key: str, text: int, rows: Sequence[_Row]) -> None:
    if rows:
        sizes = [(len(_LINE_END.split(row.fields[text])), row.line) for row in rows]
        longest, line = max(sizes)
        announce(
            f"[{key}] {path}: {len(rows)} texts in quotes span lines, the longest {longest} (it ends at line {line}); "
            "if quotes are text there, set `quoting: false`"
        )


def _refuse_swallowed_rows(path: Path, key: str, text: int, spanning: Sequence[_Row], spec: Mapping[str, Any]) -> None:
    """Raise ``UserError`` if a quoted field has lines that are rows of the table; ``text`` is the texts' column."""
    candidates = [(row, line) for row in spanning for line in _lines_like_rows(row.fields, spec.get("separator", ","))]
    if not candidates:
        return
    if spec.get("separator", ",") in _PROSE:
        likely = _likely_cells(path, key, text, {row.line for row in spanning}, spec)
        candidates = [
            (row, line)
            for row, line in candidates
            # Without such a column, commas alone prove nothing.
            if likely and all(_is_likely(line[index], cells) for index, cells in likely.items())
        ]
    if candidates:
        row, line = candidates[0]
        count = len({row.line for row, _ in candidates})
        shown = textwrap.shorten(spec.get("separator", ",").join(line), 60, placeholder="...")
        raise UserError(
            f"{path}:{row.line}: the quotes that end here hold lines that look like rows, as {shown!r} ({count} such "
            "texts in the file); if quotes are text, set `quoting: false`; if it is one text, set `quoting: true`"
        )


def _lines_like_rows(fields: Sequence[str], separator: str) -> Iterator[list[str]]:
    """The lines within quoted fields that have as many fields as the row."""
    if len(fields) == 1:
        return
    for index, field in enumerate(fields):
        lines = _LINE_END.split(field)
        before, after = list(fields[:index]), list(fields[index + 1 :])
        for number, line in enumerate(lines if len(lines) > 1 else []):
            cells = line.split(separator)
            # The first and the last line are parts of the row itself: only their own cells count.
            if number == 0:
                cells = [*before, *cells] if after else []
            elif number == len(lines) - 1:
                cells = [*cells, *after] if before else []
            if len(cells) == len(fields):
                yield cells


def _likely_cells(
    path: Path, key: str, text: int, spanning: set[int], spec: Mapping[str, Any]
) -> dict[int, set[str] | None]:
    """Index -> the cells of a column of categories, or None for one of numbers, by the rows of a single line.

    Other columns, such as that of the texts, are left out.
    """
    rows = [row.fields for row in _rows(path, key, spec) if row.line not in spanning]
    likely: dict[int, set[str] | None] = {}
    for index, cells in enumerate(zip(*rows[0 if "columns" in spec else 1 :], strict=True)):
        seen = set(cells)
        if all(map(is_number, seen)):
            likely[index] = None
        elif index != text and len(seen) <= min(_FEW, len(cells) / 2):
            likely[index] = seen
    return likely


def _is_likely(cell: str, cells: set[str] | None) -> bool:
    return is_number(cell) if cells is None else cell in cells

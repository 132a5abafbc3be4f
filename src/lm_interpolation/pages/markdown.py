"""Markdown that shows people's texts literally. Imports no heavy package.

Nothing in a config is markup: titles, reasons, words and paths are all plain text. All pages are built from Markdown
(the report includes it), so this is the only place that escapes such text.
"""

import re
from collections.abc import Iterable, Sequence

# Within a word _ is literal, and so are brackets around numbers, as in intervals. $ is no markup here, but it is on
# GitHub, where a backslash does not help.
_MARKUP = re.compile(r"[\\`*~<|&#$]|(?<![^\W_])_|_(?![^\W_])|\[(?![−\d-][−\d., -]*\](?![(\[:]))")
# At the start of a line these make it a heading, a list, a quotation or a directive.
_START = re.compile(r"^(?=[-+=:%(>])|^(\d+)(?=[.)](?: |$))")

_ISOLATES, _EMBEDDINGS = "\u2066\u2067\u2068", "\u202a\u202b\u202d\u202e"
_END_OF_ISOLATE, _END_OF_EMBEDDING = "\u2069", "\u202c"


def plain(text: str) -> str:
    """Markdown, on one line, that reads as ``text``: characters of markup are escaped, white space is one space."""
    line = " ".join(_closed(text).split())
    line = _MARKUP.sub(lambda found: "&#36;" if found[0] == "$" else f"\\{found[0]}", line)
    return _START.sub(lambda found: f"{found[1] or ''}\\", line)


def bullets(items: Iterable[str]) -> list[str]:
    """A line of Markdown for each of the plain-text ``items``."""
    return [f"- {plain(item)}" for item in items]


def section(title: str, items: Sequence[str]) -> list[str]:
    """Lines of Markdown: a bold title and a list of the plain-text ``items``; nothing if there are none."""
    return ["", f"**{title}**", "", *bullets(items)] if items else []


def table_row(cells: Sequence[str]) -> str:
    """A row of a table; ``cells`` are Markdown (see ``plain``)."""
    return f"| {' | '.join(cells)} |"


def _closed(text: str) -> str:
    """``text`` with every writing direction that it opens closed, so that text after it is not reversed."""
    ends: list[str] = []
    for character in text:
        if character in _ISOLATES:
            ends.append(_END_OF_ISOLATE)
        elif character in _EMBEDDINGS:
            ends.append(_END_OF_EMBEDDING)
        elif character == _END_OF_ISOLATE and _END_OF_ISOLATE in ends:
            # Closes what was opened within it, too.
            while ends.pop() != _END_OF_ISOLATE:
                pass
        elif character == _END_OF_EMBEDDING and ends[-1:] == [_END_OF_EMBEDDING]:
            ends.pop()
    return text + "".join(reversed(ends))

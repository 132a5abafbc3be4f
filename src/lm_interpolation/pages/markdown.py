"""Texts that people write, as Markdown that shows them as they stand. Imports no heavy package.

Nothing in a config is markup: neither a title nor a reason, neither a word nor a path. All pages are made of Markdown
(the report includes it), so this is the one place that says so.
"""

import re
from collections.abc import Iterable, Sequence

# Within a word _ is nothing but itself, and so are brackets around numbers, of which intervals are made. $ is no markup
# here, but on GitHub, where a backslash does not help.
_MARKUP = re.compile(r"[\\`*~<|&#$]|(?<![^\W_])_|_(?![^\W_])|\[(?![−\d-][−\d., -]*\](?![(\[:]))")
# What makes a heading, a list, a quotation or a directive of a line that it begins.
_START = re.compile(r"^(?=[-+=:%(>])|^(\d+)(?=[.)](?: |$))")

_ISOLATES, _EMBEDDINGS = "\u2066\u2067\u2068", "\u202a\u202b\u202d\u202e"
_END_OF_ISOLATE, _END_OF_EMBEDDING = "\u2069", "\u202c"


def plain(text: str) -> str:
    """Markdown, on one line, that reads as ``text``: characters of markup are escaped, white space is one space."""
    line = " ".join(_closed(text).split())
    line = _MARKUP.sub(lambda found: "&#36;" if found[0] == "$" else f"\\{found[0]}", line)
    return _START.sub(lambda found: f"{found[1] or ''}\\", line)


def bullets(items: Iterable[str]) -> list[str]:
    """A line of Markdown for each of ``items``, which are texts."""
    return [f"- {plain(item)}" for item in items]


def section(title: str, items: Sequence[str]) -> list[str]:
    """Lines of Markdown: a bold title and a list of ``items``, which are texts; nothing if there are none."""
    return ["", f"**{title}**", "", *bullets(items)] if items else []


def table_row(cells: Sequence[str]) -> str:
    """A row of a table, of ``cells`` that are Markdown (see ``plain``)."""
    return f"| {' | '.join(cells)} |"


def _closed(text: str) -> str:
    """``text`` with an end to each direction of writing that it begins, so that what follows it is not turned round."""
    ends: list[str] = []
    for character in text:
        if character in _ISOLATES:
            ends.append(_END_OF_ISOLATE)
        elif character in _EMBEDDINGS:
            ends.append(_END_OF_EMBEDDING)
        elif character == _END_OF_ISOLATE and _END_OF_ISOLATE in ends:
            # With what was begun within it.
            while ends.pop() != _END_OF_ISOLATE:
                pass
        elif character == _END_OF_EMBEDDING and ends[-1:] == [_END_OF_EMBEDDING]:
            ends.pop()
    return text + "".join(reversed(ends))

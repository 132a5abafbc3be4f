"""The output of every source of a corpus: the raw rows of its files, with the columns that the corpus needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """The needed columns of one input file; ``place(i)`` says where its row i is, for error messages."""

    columns: Mapping[str, Sequence[Any]]
    place: Callable[[int], str]
    untyped: bool = False
    """Whether the file has only text: then numbers and booleans are text, and null is an empty cell."""


def needed_columns(corpus: Mapping[str, Any]) -> list[str]:
    """The columns to read: first that of the texts, then those of the second texts, of the label and of ``drop``.

    ``corpus`` holds the settings of a corpus, see ``steps.make_corpus``.
    """
    pair = [corpus["pair"]["column"]] if "pair" in corpus else []
    label = corpus.get("label")
    return list(dict.fromkeys([corpus["text"], *pair, *([label] if label else []), *corpus.get("drop", {})]))

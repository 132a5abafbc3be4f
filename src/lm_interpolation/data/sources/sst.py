"""The Stanford Sentiment Treebank (Socher et al. 2013): sentences as trees with labels, in their root's case 0 to 4."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.data_files import read_lines, require_columns
from lm_interpolation.data.raw_tables import Table, needed_columns
from lm_interpolation.data.steps import SPLITS, make_corpus
from lm_interpolation.jobs.runtime import UserError

if TYPE_CHECKING:
    import pandas as pd


def load_sst(corpus: Mapping[str, Any], name: str) -> dict[str, "pd.DataFrame"]:
    """Read a folder with the trees of each split in train.txt, dev.txt and test.txt; see ``make_corpus``."""
    key, columns, folder = f"corpora.{name}.path", needed_columns(corpus), Path(corpus["path"])
    tables = {split: [_read_sst(folder / f"{split}.txt", key, columns, corpus)] for split in SPLITS}
    return make_corpus(tables, corpus, name)


def _read_sst(path: Path, key: str, columns: Sequence[str], spec: Mapping[str, Any]) -> Table:
    """Root labels and sentences of a file of Stanford Sentiment Treebank trees (Socher et al. 2013), one per line."""
    texts, labels = [], []
    for number, line in enumerate(read_lines(path, key, spec.get("encoding", "utf-8")), start=1):
        try:
            label, tokens = _parse_tree(line)
        except ValueError as error:
            raise UserError(
                f"{path}:{number}: malformed tree, {error}; expected lines like (3 (2 Good) (2 .))"
            ) from None
        if label not in ("0", "1", "2", "3", "4"):
            raise UserError(
                f"{path}:{number}: label {label} outside 0..4; expected 0 (very negative) to 4 (very positive)"
            )
        texts.append(detokenize(tokens) if spec.get("detokenize") else " ".join(_unescape(token) for token in tokens))
        labels.append(label)
    require_columns(columns, ["text", "label"], str(path))
    return Table({"text": texts, "label": labels}, lambda i: f"{path}:{i + 1}", untyped=True)


_TREE_TOKEN = re.compile(r"[()]|[^() ]+")


def _parse_tree(line: str) -> tuple[str, list[str]]:
    """Root label and leaves of ``(label word)`` or ``(label tree tree ...)``.

    Raises ``ValueError`` that says what is wrong.
    """
    root = None
    leaves: list[str] = []
    # What each open node has so far, outermost first.
    nothing, label, word, trees = range(4)
    open_nodes: list[int] = []
    for token in _TREE_TOKEN.findall(line):
        if not open_nodes and (root is not None or token != "("):
            raise ValueError(f"{token!r} outside the tree")
        if token == "(":
            if open_nodes:
                if open_nodes[-1] not in (label, trees):
                    raise ValueError("'(' where a label or ')' should be")
                open_nodes[-1] = trees
            open_nodes.append(nothing)
        elif token == ")":
            if open_nodes.pop() not in (word, trees):
                raise ValueError("')' closes a node without words")
        elif open_nodes[-1] == nothing:
            open_nodes[-1] = label
            root = token if root is None else root
        elif open_nodes[-1] == label:
            open_nodes[-1] = word
            leaves.append(token)
        else:
            raise ValueError(f"{token!r} where '(' or ')' should be")
    if root is None:
        raise ValueError("the line is empty")
    if open_nodes:
        raise ValueError(f"{len(open_nodes)} '(' not closed")
    return root, leaves


_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}


_QUOTES = {"``": '"', "''": '"', "`": "'"}


_ATTACHED_TO_PREVIOUS = re.compile(r"[.,:;!?]+|''|'|%|[)\]}]|n't|'(s|re|ve|ll|d|m)", re.IGNORECASE)


_ATTACHED_TO_NEXT = {"``", "`", "$", "#", "(", "[", "{"}


def _unescape(token: str) -> str:
    return _BRACKETS.get(token) or token.replace("\\/", "/").replace("\\*", "*")


def detokenize(tokens: Iterable[str]) -> str:
    """Natural text of Penn Treebank tokens: clitics and punctuation joined, brackets and quotes as people type them.

    >>> detokenize("It is n't `` bad '' -LRB- really -RRB- .".split())
    'It isn\\'t "bad" (really).'
    """
    text = ""
    glue = ""
    for token in map(_unescape, tokens):
        if not _ATTACHED_TO_PREVIOUS.fullmatch(token):
            text += glue
        text += _QUOTES.get(token, token)
        glue = "" if token in _ATTACHED_TO_NEXT else " "
    return text

"""From raw rows to the splits of a corpus: the steps that all sources share."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.data.labels import class_of_label
from lm_interpolation.data.raw_tables import Table
from lm_interpolation.data.raw_values import Key, as_string, cell_keys, checked_text, quotes_hint, show_value, value_key
from lm_interpolation.jobs.runtime import UserError, announce

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Document:
    row: int
    text: str
    label: str | None


@dataclass(frozen=True)
class Remedies:
    """The message about a split or a class without texts; words in braces are filled in."""

    split: str
    class_of: str


REMEDIES = Remedies(
    "{key}: no text in the {split} split; give it files, a fraction of train or a larger limit",
    "{key}.classes.{name}: empty class, no text of the {split} split has one of its labels; correct its labels, or "
    "take the class out and drop its labels",
)
CLASS_FILES = Remedies(
    REMEDIES.split,
    "{key}.class_files.{name}: none of its texts is in the {split} split; give it more texts, or larger fractions",
)
"""For classes that are files."""


def make_corpus(
    tables: Mapping[str, Sequence[Table]], corpus: Mapping[str, Any], name: str, remedies: Remedies = REMEDIES
) -> dict[str, "pd.DataFrame"]:
    """Make a corpus from the raw rows of a source: a frame for each of train, dev and test, none of them empty.

    Args:
        tables: those of each split with its own data, with ``needed_columns``.
        corpus: the settings of the corpus. All have ``text`` and, if there are labels, ``label`` (names of columns),
            and ``classes`` (class to raw labels); ``seed``; and as the study gives them ``pair`` (the ``column`` of a
            second text, and what stands ``between``), ``drop`` (column to values), ``replace`` (a list of pairs),
            ``max_words``, ``min_words``, ``fractions`` and ``limit`` (split to number).
        name: of the corpus, for messages.

    The columns are ``row`` (int64, index of the document among the rows of the files of its split, or of the train
    files if ``fractions`` moved it to dev or test), ``text`` (str, stripped, non-empty) and ``label`` (str, a class
    name; None in an unlabelled corpus).

    The steps, in this order: ``drop`` rows, ``replace`` in texts and strip them, join both texts of a ``pair``, drop
    empty texts and pairs with an empty text, map raw labels to ``classes``, move ``fractions`` of the train documents
    to dev and test, cut texts into pieces of at most ``max_words`` words (each run of whitespace becomes one space),
    leave out those of fewer than ``min_words``, take a random subset of at most ``limit`` of the rest. Subsets depend
    on ``seed`` only, keep the order of the source, and a smaller one is part of a larger one.

    Raises ``UserError`` for a text that is no string, a value of ``drop`` that no row has, a label in no class, and a
    class or split without texts. The sources raise it for a file or column that is missing, text in another encoding
    and malformed input.
    """
    key = f"corpora.{name}"
    _check_drop([table for tables_of_split in tables.values() for table in tables_of_split], corpus, key)
    classes = class_of_label(corpus.get("classes", {}), key)
    documents = {
        split: documents_of(tables_of_split, corpus, f"{key}, {split}", classes)
        for split, tables_of_split in tables.items()
    }
    documents = _split_off(documents, corpus)
    texts = {split: _long_enough(_pieces(documents[split], corpus), corpus, f"{key}, {split}") for split in SPLITS}
    sources = {split: f" from {len(documents[split])} documents" for split in SPLITS}
    return frames(texts, corpus, name, sources, remedies)


def _check_drop(tables: Sequence[Table], corpus: Mapping[str, Any], key: str) -> None:
    """Raise ``UserError`` for a value of ``drop`` that no row of the corpus has."""
    for column, values in corpus.get("drop", {}).items():
        # Told apart by type, since to Python true is 1, and as text, since a list has no hash.
        cells: dict[tuple[type, str, bool], Any] = {}
        counts: Counter[tuple[type, str, bool]] = Counter()
        for table in tables:
            for cell in table.columns[column]:
                kind = (type(cell), as_string(cell), table.untyped)
                cells[kind] = cell
                counts[kind] += 1
        answered = {found for kind, cell in cells.items() for found in cell_keys(cell, untyped=kind[2])}
        for value in values:
            if value_key(value) not in answered:
                shown = [show_value(cells[kind]) for kind, _ in counts.most_common(5)]
                more = ", ..." if len(cells) > len(shown) else ""
                raise UserError(
                    f"{key}.drop.{column}: no row has {show_value(value)} there{quotes_hint(value, cells.values())}; "
                    f"correct or remove it, the column has {', '.join(shown)}{more}"
                )


def documents_of(
    tables: Iterable[Table],
    corpus: Mapping[str, Any],
    what: str,
    classes: Mapping[Key, str],
) -> list[Document]:
    """Drop rows, clean the texts, and name the classes of one split; ``what`` names it in messages."""
    label_column = corpus.get("label")
    drops = {column: set(map(value_key, values)) for column, values in corpus.get("drop", {}).items()}
    documents = []
    first, dropped, empty = 0, 0, 0
    for table in tables:
        count = len(table.columns[corpus["text"]])
        for i in range(count):
            if any(
                not values.isdisjoint(cell_keys(table.columns[column][i], table.untyped))
                for column, values in drops.items()
            ):
                dropped += 1
                continue
            text = _text_of(table, i, corpus)
            if not text:
                empty += 1
                continue
            label = None
            if label_column is not None:
                cell = table.columns[label_column][i]
                keys = cell_keys(cell, table.untyped)
                label = next((classes[found] for found in keys if found in classes), None)
                if label is None:
                    raise UserError(f"{table.place(i)}: {_unknown_label(cell, keys, label_column, corpus)}")
            documents.append(Document(first + i, text, label))
        first += count
    if first and not documents:
        raise UserError(f"{what}: no text is left of {first} rows, {dropped} dropped by `drop`, {empty} empty")
    if dropped or empty:
        announce(f"[{what}] left out {dropped} rows by `drop` and {empty} empty texts of {first} rows")
    return documents


def _text_of(table: Table, row: int, corpus: Mapping[str, Any]) -> str:
    """The cleaned text of a row, or both texts of a pair with what stands between; empty if one of them is."""
    pair = corpus.get("pair", {})
    found = []
    for column in filter(None, (corpus["text"], pair.get("column"))):
        text = checked_text(table.columns[column][row], table.place(row))
        for old, new in corpus.get("replace", []):
            text = text.replace(old, new)
        found.append(text.strip())
    return pair.get("between", "").join(found) if all(found) else ""


def _unknown_label(cell: Any, keys: Sequence[Key], column: str, corpus: Mapping[str, Any]) -> str:
    """For an error: that a raw label is in no class, and what to do."""
    missing = value_key(None) in keys
    shown = "null" if missing else show_value(cell)
    labels = [label for labels in corpus.get("classes", {}).values() for label in labels]
    hint = next((hint for label in labels if (hint := quotes_hint(label, [cell]))), "")
    add = "" if missing else "add it to one under `classes`, or "
    return f"label {shown} is in no class{hint}; {add}drop its rows with `drop: {{{column}: [{shown}]}}`"


def _split_off(documents: Mapping[str, list[Document]], corpus: Mapping[str, Any]) -> dict[str, list[Document]]:
    """Move ``fractions`` of the train documents into the splits that have no files of their own."""
    fractions: Mapping[str, float] = corpus.get("fractions", {})
    train = documents["train"]
    order = _shuffled(len(train), f"{corpus.get('seed', 0)} fractions")
    result = dict(documents)
    taken = 0
    for split in SPLITS:
        if split in fractions:
            count = round(fractions[split] * len(train))
            result[split] = [train[i] for i in sorted(order[taken : taken + count])]
            taken += count
    result["train"] = [train[i] for i in sorted(order[taken:])]
    return result


def _pieces(documents: list[Document], corpus: Mapping[str, Any]) -> list[Document]:
    """Documents cut at ``max_words``, if that is set."""
    if "max_words" not in corpus:
        return documents
    return [
        replace(document, text=piece)
        for document in documents
        for piece in split_text(document.text, corpus["max_words"])
    ]


def _long_enough(documents: list[Document], corpus: Mapping[str, Any], what: str) -> list[Document]:
    """Documents of at least ``min_words`` words, if that is set."""
    least = corpus.get("min_words", 0)
    kept = [document for document in documents if len(document.text.split()) >= least] if least else documents
    if gone := len(documents) - len(kept):
        announce(f"[{what}] left out {gone} of {len(documents)} texts of fewer than {least} words")
    return kept


def split_text(text: str, max_words: int) -> list[str]:
    """Cut a text into pieces of at most ``max_words`` whitespace-separated words, joined by single spaces.

    Whole sentences (which end at ``.``, ``!`` or ``?`` before whitespace) are packed greedily; a sentence that is
    longer than ``max_words`` is cut after every ``max_words`` words.
    """
    pieces: list[str] = []
    piece: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        words = sentence.split()
        for start in range(0, len(words), max_words):
            part = words[start : start + max_words]
            if len(piece) + len(part) > max_words:
                pieces.append(" ".join(piece))
                piece = []
            piece.extend(part)
    if piece:
        pieces.append(" ".join(piece))
    return pieces


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def frames(
    documents: Mapping[str, Sequence[Document]],
    corpus: Mapping[str, Any],
    name: str,
    sources: Mapping[str, str],
    remedies: Remedies,
) -> dict[str, "pd.DataFrame"]:
    """Take subsets of ``limit`` texts, and make a frame of each split; ``sources`` says in the log of what they are."""
    key, found = f"corpora.{name}", {}
    for split in SPLITS:
        texts = documents[split]
        limit = corpus.get("limit", {}).get(split, len(texts))
        texts = [texts[i] for i in subset(len(texts), limit, f"{corpus.get('seed', 0)} limit {split}")]
        if not texts:
            raise UserError(remedies.split.format(key=key, split=split))
        counts = dict.fromkeys(sorted(corpus.get("classes", {})), 0)
        for text in texts:
            if text.label is not None:
                counts[text.label] += 1
        for class_name, count in counts.items():
            if count == 0:
                raise UserError(remedies.class_of.format(key=key, name=class_name, split=split))
        announce(
            f"[corpus {name}] {split}: {len(texts)} texts{sources[split]}"
            + "".join(f", {count} {class_name}" for class_name, count in counts.items())
        )
        found[split] = frame_of(texts)
    return found


def frame_of(documents: Sequence[Document]) -> "pd.DataFrame":
    """The columns of ``make_corpus``."""
    import pandas as pd

    return pd.DataFrame(
        {
            "row": pd.Series([document.row for document in documents], dtype="int64"),
            "text": pd.Series([document.text for document in documents], dtype="str"),
            # Of type object, because None would become NaN in a pandas string column.
            "label": pd.Series([document.label for document in documents], dtype="object"),
        }
    )


def _shuffled(count: int, seed: str) -> list[int]:
    """A random order of 0..count-1. It uses only ``random.random``, whose sequence Python guarantees."""
    generator = random.Random(seed)
    keys = [generator.random() for _ in range(count)]
    return sorted(range(count), key=keys.__getitem__)


def subset(count: int, size: int, seed: str) -> list[int]:
    """``size`` random indices out of ``count``, ascending (all of them if there are no more)."""
    return list(range(count)) if size >= count else sorted(_shuffled(count, seed)[:size])

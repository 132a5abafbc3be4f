"""Plain text with one text per line, whose label comes from its file, from a file beside it, or stands first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import Declared, declared_paths
from lm_interpolation.data.data_files import read_lines, require_columns
from lm_interpolation.data.raw_tables import Table, needed_columns
from lm_interpolation.data.steps import CLASS_FILES, REMEDIES, make_corpus
from lm_interpolation.jobs.runtime import UserError

if TYPE_CHECKING:
    import pandas as pd


def load_lines(corpus: Mapping[str, Any], name: str) -> dict[str, "pd.DataFrame"]:
    """Read the files of each split; see ``make_corpus``."""
    key, columns = f"corpora.{name}", needed_columns(corpus)
    labels = declared_paths(corpus, "label_files")
    tables = {
        split: [
            _read_text_lines(text, label, key, columns, corpus)
            for text, label in zip(entries, labels.get(split, [None] * len(entries)), strict=True)
        ]
        for split, entries in declared_paths(corpus).items()
    }
    return make_corpus(tables, corpus, name, CLASS_FILES if "class_files" in corpus else REMEDIES)


def _read_text_lines(
    text: Declared, labels: Declared | None, key: str, columns: Sequence[str], spec: Mapping[str, Any]
) -> Table:
    """One text per line; its label comes from the file's class, from the same line of ``labels``, or stands first."""
    path, encoding = Path(text.path), spec.get("encoding", "utf-8")
    values: dict[str, list[str]] = {"text": read_lines(path, f"{key}.{text.key}", encoding)}
    if not any(map(str.strip, values["text"])):
        raise UserError(f"{path}: holds no text; put one on each line, or take the file out of {key}.{text.key}")
    count = len(values["text"])
    if text.class_name is not None:
        values["label"] = [text.class_name] * count
    elif labels is not None:
        lines = read_lines(Path(labels.path), f"{key}.{labels.key}", encoding)
        if len(lines) != count:
            raise UserError(
                f"{labels.path}: {len(lines)} lines of labels for the {count} lines of {path}; give one for each"
            )
        values["label"] = [line.strip() for line in lines]
    elif spec.get("leading_label", False):
        parts = [line.split(maxsplit=1) for line in values["text"]]
        values = {
            "text": [part[1] if len(part) > 1 else "" for part in parts],
            "label": [part[0] if part else "" for part in parts],
        }
        for number, (label, rest) in enumerate(zip(values["label"], values["text"], strict=True), start=1):
            if label.startswith(_FASTTEXT) and rest.startswith(_FASTTEXT):
                raise UserError(f"{path}:{number}: two labels, {label} and {rest.split()[0]}; leave one to each text")
    require_columns(columns, list(values), str(path))
    return Table(values, lambda i: f"{path}:{i + 1}", untyped=True)


_FASTTEXT = "__label__"
"""With it fastText begins labels, of which a line may have several."""

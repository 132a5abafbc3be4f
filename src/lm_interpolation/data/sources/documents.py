"""Plain text with one text per file, in folders and globs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import Declared, all_documents
from lm_interpolation.data.data_files import read_text, require_columns
from lm_interpolation.data.raw_tables import Table, needed_columns
from lm_interpolation.data.steps import CLASS_FILES, REMEDIES, make_corpus

if TYPE_CHECKING:
    import pandas as pd


def load_documents(corpus: Mapping[str, Any], name: str) -> dict[str, "pd.DataFrame"]:
    """Read the files of each split; see ``make_corpus``."""
    key, columns = f"corpora.{name}", needed_columns(corpus)
    tables = {
        split: [_read_documents(files, key, columns, corpus)] for split, files in all_documents(corpus, key).items()
    }
    return make_corpus(tables, corpus, name, CLASS_FILES if "class_files" in corpus else REMEDIES)


def _read_documents(
    files: Sequence[tuple[str, Declared]], key: str, columns: Sequence[str], spec: Mapping[str, Any]
) -> Table:
    """One text per file, of one split; its label is the file's class."""
    encoding = spec.get("encoding", "utf-8")
    values = {"text": [read_text(Path(file), f"{key}.{entry.key}", encoding) for file, entry in files]}
    if "class_files" in spec:
        values["label"] = [str(entry.class_name) for _, entry in files]
    require_columns(columns, list(values), key)
    return Table(values, lambda i: files[i][0], untyped=True)

"""Tables of separated values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import declared_paths
from lm_interpolation.data.csv_files import read_csv
from lm_interpolation.data.raw_tables import Table, needed_columns
from lm_interpolation.data.steps import make_corpus

if TYPE_CHECKING:
    import pandas as pd


def load_csv(corpus: Mapping[str, Any], name: str) -> dict[str, "pd.DataFrame"]:
    """Read the files of each split; see ``make_corpus``."""
    columns = needed_columns(corpus)
    tables = {
        split: [read_csv_table(Path(entry.path), f"corpora.{name}.{entry.key}", columns, corpus) for entry in entries]
        for split, entries in declared_paths(corpus).items()
    }
    return make_corpus(tables, corpus, name)


def read_csv_table(path: Path, key: str, columns: Sequence[str], spec: Mapping[str, Any]) -> Table:
    """A table of separated values, see ``csv_files.read_csv``."""
    values, lines = read_csv(path, key, columns, spec)
    return Table(values, lambda i: f"{path}:{lines[i]}", untyped=True)

"""Parquet files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import declared_paths
from lm_interpolation.data.data_files import one_line, require_columns, require_file
from lm_interpolation.data.raw_tables import Table, needed_columns
from lm_interpolation.data.steps import make_corpus
from lm_interpolation.jobs.runtime import UserError

if TYPE_CHECKING:
    import pandas as pd


def load_parquet(corpus: Mapping[str, Any], name: str) -> dict[str, "pd.DataFrame"]:
    """Read the files of each split; see ``make_corpus``."""
    columns = needed_columns(corpus)
    tables = {
        split: [read_parquet_table(Path(entry.path), f"corpora.{name}.{entry.key}", columns) for entry in entries]
        for split, entries in declared_paths(corpus).items()
    }
    return make_corpus(tables, corpus, name)


def read_parquet_table(path: Path, key: str, columns: Sequence[str]) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    require_file(path, key)
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        require_columns(columns, file.schema_arrow.names, str(path))
        table = file.read(columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({one_line(error)}); check {key}") from None
    values = {}
    for column in columns:
        try:
            values[column] = table[column].to_pylist()
        except UnicodeDecodeError:
            raise UserError(f"{path}: column {column!r} is not UTF-8 text; convert it") from None
    return Table(values, lambda i: f"{path}, row {i}")

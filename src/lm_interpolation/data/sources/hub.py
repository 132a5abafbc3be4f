"""Files of a dataset's repository on the Hugging Face hub: tables, or shards of a stream."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import as_list
from lm_interpolation.data.formats import format_of
from lm_interpolation.data.gated import naming_gates
from lm_interpolation.data.hub import fetch, locked_commit, matching_files
from lm_interpolation.data.json_lines import read_json_lines
from lm_interpolation.data.raw_tables import Table, needed_columns
from lm_interpolation.data.sources.csv import read_csv_table
from lm_interpolation.data.sources.parquet import read_parquet_table
from lm_interpolation.data.steps import SPLITS, make_corpus

if TYPE_CHECKING:
    import pandas as pd

_READERS: dict[str | None, Callable[[Path, str, Sequence[str], Mapping[str, Any]], Table]] = {
    "csv": read_csv_table,
    "jsonl": read_json_lines,
    "parquet": lambda path, key, columns, corpus: read_parquet_table(path, key, columns),
}


@naming_gates()
def load_hub(corpus: Mapping[str, Any], name: str, hub_lock: str | None) -> dict[str, "pd.DataFrame"]:
    """Read the files of each split, whose names tell their formats; see ``make_corpus``.

    ``hub_lock`` is the file in which commits on the hub are kept (see ``hub.locked_commit``).
    """
    columns, repository = needed_columns(corpus), corpus["id"]
    commit = locked_commit(repository, "dataset", corpus["revision"], hub_lock)
    tables: dict[str, list[Table]] = {}
    for split in SPLITS:
        if split in corpus["files"]:
            key = f"corpora.{name}.files.{split}"
            tables[split] = [
                _READERS[format_of(file)](fetch(repository, commit, file), key, columns, corpus)
                for file in matching_files(repository, commit, as_list(corpus["files"][split]), key)
            ]
    return make_corpus(tables, corpus, name)

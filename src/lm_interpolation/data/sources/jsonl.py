"""Files with one JSON object per line."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import declared_paths
from lm_interpolation.data.json_lines import read_json_lines
from lm_interpolation.data.raw_tables import needed_columns
from lm_interpolation.data.steps import make_corpus

if TYPE_CHECKING:
    import pandas as pd


def load_jsonl(corpus: Mapping[str, Any], name: str) -> dict[str, "pd.DataFrame"]:
    """Read the files of each split; see ``make_corpus``."""
    columns = needed_columns(corpus)
    tables = {
        split: [read_json_lines(Path(entry.path), f"corpora.{name}.{entry.key}", columns, corpus) for entry in entries]
        for split, entries in declared_paths(corpus).items()
    }
    return make_corpus(tables, corpus, name)

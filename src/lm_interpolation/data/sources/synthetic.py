"""The built-in generator of reviews, for studies without a download."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.data_files import require_columns
from lm_interpolation.data.raw_tables import Table, needed_columns
from lm_interpolation.data.steps import SPLITS, make_corpus
from lm_interpolation.data.synthetic.texts import generate

if TYPE_CHECKING:
    import pandas as pd


def load_synthetic(corpus: Mapping[str, Any], name: str) -> dict[str, "pd.DataFrame"]:
    """Generate the texts of each split; see ``make_corpus``."""
    shard = corpus.get("shard", {"index": 0, "count": 1})
    generated = generate(corpus["kind"], corpus["counts"], corpus["seed"], (shard["index"], shard["count"]))
    columns = needed_columns(corpus)
    tables = {split: [_synthetic_table(generated[split], f"corpora.{name}, {split}", columns)] for split in SPLITS}
    return make_corpus(tables, corpus, name)


def _synthetic_table(rows: Sequence[tuple[str, Any]], place: str, columns: Sequence[str]) -> Table:
    values = {"text": [text for text, _ in rows], "label": [raw for _, raw in rows]}
    require_columns(columns, list(values), place)
    return Table(values, lambda i: f"{place}, text {i}")

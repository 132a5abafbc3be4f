"""The built-in generator's reviews by topic, for studies without a download."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.data_files import require_columns
from lm_interpolation.data.raw_tables import Table, needed_columns
from lm_interpolation.data.steps import SPLITS, make_corpus
from lm_interpolation.data.synthetic.topics import generate_topics

if TYPE_CHECKING:
    import pandas as pd


def load_topics(corpus: Mapping[str, Any], name: str) -> dict[str, "pd.DataFrame"]:
    """Generate the texts of each split, with the columns ``text``, ``topic`` and ``level``; see ``make_corpus``.

    With ``label_words`` (topic to word) each text ends in ``Topic: `` and the word.
    """
    shard = corpus.get("shard", {"index": 0, "count": 1})
    generated = generate_topics(corpus["counts"], corpus["seed"], (shard["index"], shard["count"]))
    if (words := corpus.get("label_words")) is not None:
        generated = {
            split: [(f"{text} Topic: {words[topic]}.", topic, level) for text, topic, level in rows]
            for split, rows in generated.items()
        }
    columns = needed_columns(corpus)
    tables = {split: [_table(generated[split], f"corpora.{name}, {split}", columns)] for split in SPLITS}
    return make_corpus(tables, corpus, name)


def _table(rows: Sequence[tuple[str, str, int]], place: str, columns: Sequence[str]) -> Table:
    values = {key: [row[i] for row in rows] for i, key in enumerate(("text", "topic", "level"))}
    require_columns(columns, list(values), place)
    return Table(values, lambda i: f"{place}, text {i}")

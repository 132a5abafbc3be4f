"""Datasets of the Hugging Face hub, and folders, that ``datasets.load_dataset`` reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.data_files import one_line, require_columns, require_file
from lm_interpolation.data.gated import naming_gates
from lm_interpolation.data.raw_tables import Table, needed_columns
from lm_interpolation.data.steps import SPLITS, make_corpus
from lm_interpolation.jobs.runtime import UserError

if TYPE_CHECKING:
    import pandas as pd


@naming_gates()
def load_datasets(corpus: Mapping[str, Any], name: str, files: Sequence[str]) -> dict[str, "pd.DataFrame"]:
    """Read the splits of a dataset; see ``make_corpus``. ``files`` are those of a local folder."""
    key, columns = f"corpora.{name}", needed_columns(corpus)
    for file in files:
        require_file(Path(file), f"{key}.id")
    tables = {split: [_read_dataset(corpus, split, key, columns)] for split in SPLITS if split in corpus["splits"]}
    return make_corpus(tables, corpus, name)


def _read_dataset(spec: Mapping[str, Any], split: str, key: str, columns: Sequence[str]) -> Table:
    """One split of a Hugging Face dataset: a hub id, or a local folder in a form that ``load_dataset`` knows."""
    import datasets

    source, hub_split = spec["id"], spec["splits"][split]
    try:
        dataset = datasets.load_dataset(source, spec.get("config"), split=hub_split, revision=spec["revision"])
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise UserError(
            f"{key}.id: cannot load split {hub_split!r} of dataset {source!r} at revision {spec['revision']!r} "
            f"({one_line(error)}); check id, config, revision and splits, and that the hub is reachable or the "
            "dataset was downloaded before"
        ) from None
    require_columns(columns, dataset.column_names, f"{key}, dataset {source}, split {hub_split}")
    return Table(dataset.select_columns(list(columns))[:], lambda i: f"{source}, split {hub_split}, row {i}")

"""The texts that sets of models are measured on: files, between the job that takes them and those that read them."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from lm_interpolation.data.parquet import read_parquet, write_parquet


@dataclass(frozen=True)
class Texts:
    """Texts of one split, and their classes: None where the corpus, or the loss, has none."""

    texts: list[str]
    labels: list[str | None]


def write_set_texts(found: Iterable[tuple[str, str, Texts]], path: str | os.PathLike[str]) -> None:
    """Write (set, split, texts) atomically as Parquet with the columns ``set``, ``split``, ``text`` and ``label``."""
    rows = [
        (name, split, text, label)
        for name, split, part in found
        for text, label in zip(part.texts, part.labels, strict=True)
    ]
    columns = dict(zip(("set", "split", "text", "label"), map(list, zip(*rows, strict=True)), strict=True))
    write_parquet(pa.table({key: pa.array(values, pa.string()) for key, values in columns.items()}), path)


def read_set_texts(path: str | os.PathLike[str]) -> Mapping[str, Mapping[str, Texts]]:
    """Set to split to the texts that ``write_set_texts`` wrote."""
    table = read_parquet(path)
    found: dict[str, dict[str, Texts]] = {}
    for name, split, text, label in zip(*(table[key].to_pylist() for key in table.column_names), strict=True):
        part = found.setdefault(name, {}).setdefault(split, Texts([], []))
        part.texts.append(text)
        part.labels.append(label)
    return found

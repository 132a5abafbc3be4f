"""Files of losses and of the texts they belong to; no model is needed to read or write them."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from lm_interpolation.data.parquet import read_parquet, write_parquet
from lm_interpolation.jobs.runtime import UserError

PathLike = str | os.PathLike[str]

LOSSES_SCHEMA = pa.schema(
    [
        ("point", pa.dictionary(pa.int32(), pa.string())),
        ("class", pa.string()),
        ("text", pa.int32()),
        ("nll", pa.float64()),
        ("tokens", pa.int32()),
    ]
)
"""Columns of a file of losses: index of the text within its class; sum of the NLL in nats over so many tokens."""


def write_loss_texts(texts: Mapping[str, Sequence[str]], path: PathLike) -> None:
    """Write ``texts`` (class -> texts) atomically as Parquet with columns ``class`` and ``text``."""
    pairs = [(name, text) for name, members in texts.items() for text in members]
    names, members = zip(*pairs, strict=True)
    write_parquet(pa.table({"class": pa.array(names, pa.string()), "text": pa.array(members, pa.string())}), path)


def read_loss_texts(path: PathLike) -> dict[str, list[str]]:
    """The texts that ``write_loss_texts`` wrote."""
    table = read_parquet(path)
    texts: dict[str, list[str]] = {}
    for name, text in zip(table["class"].to_pylist(), table["text"].to_pylist(), strict=True):
        texts.setdefault(name, []).append(text)
    return texts


def write_losses(losses: pd.DataFrame, path: PathLike) -> None:
    """Write the frame of ``evaluate_losses`` atomically as Parquet with ``LOSSES_SCHEMA``.

    Raises ``ValueError`` if a (point, class, text) occurs twice or a loss is not finite.
    """
    if losses.duplicated(["point", "class", "text"]).any():
        raise ValueError(f"{path}: a (point, class, text) occurs twice")
    if not np.isfinite(losses["nll"]).all():
        raise ValueError(f"{path}: a loss is not finite")
    table = pa.table({field.name: pa.array(losses[field.name]).cast(field.type) for field in LOSSES_SCHEMA})
    write_parquet(table, path, compression="zstd")


def read_losses(path: PathLike) -> pd.DataFrame:
    """The losses that ``write_losses`` wrote; ``point`` is categorical."""
    return read_parquet(path).to_pandas()


def loss_matrix(losses: pd.DataFrame, points: Sequence[str], class_name: str) -> tuple[np.ndarray, np.ndarray]:
    """(nll, tokens) of one class, both (n_texts, len(points)) float64; a bootstrap resamples the rows.

    ``losses`` may hold other points (ids) and classes too. Raises ``UserError`` if a point lacks a text that another
    one has, ``ValueError`` if one occurs twice.
    """
    rows = losses[(losses["class"] == class_name) & losses["point"].isin(list(points))]
    place = pd.Index(points).get_indexer(pd.Index(rows["point"].astype(str)))
    codes, found = pd.factorize(rows["text"], sort=True)
    counts = np.zeros((len(found), len(points)), dtype=np.int64)
    np.add.at(counts, (codes, place), 1)
    if counts.max(initial=0) > 1:
        raise ValueError(f"class {class_name!r}: a (point, text) occurs twice")
    lacking = [point for point, complete in zip(points, (counts == 1).all(axis=0), strict=True) if not complete]
    if lacking or not len(found):
        raise UserError(
            f"point {(lacking or points)[0]}: a loss of class {class_name!r} is missing; delete the file of losses"
        )
    nll, tokens = np.empty(counts.shape), np.empty(counts.shape)
    nll[codes, place], tokens[codes, place] = rows["nll"], rows["tokens"]
    return nll, tokens

"""Stored corpora and prompt sets: the files that later stages read, whatever their source."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lm_interpolation.jobs.runtime import UserError

if TYPE_CHECKING:
    import pandas as pd


def write_corpus(splits: Mapping[str, "pd.DataFrame"], paths: Mapping[str, Path]) -> None:
    """Write each split to its Parquet file: ``row`` int64, ``text`` string, ``label`` string (null if unlabelled)."""
    for split, frame in splits.items():
        _write(frame, Path(paths[split]), labelled=True)


def write_prompts(prompts: "pd.DataFrame", path: str | Path) -> None:
    """Write prompts to a Parquet file: ``row`` int64, ``text`` string."""
    _write(prompts, Path(path), labelled=False)


def read_corpus_split(path: str | Path, label: str | None = None) -> list[str]:
    """The texts of a split written by `write_corpus`, of one class if ``label`` is given, in the order of the file.

    Raises ``UserError`` if there are none.
    """
    from lm_interpolation.data.parquet import read_parquet

    table = read_parquet(path, ["text", "label"])
    texts, labels = table["text"].to_pylist(), table["label"].to_pylist()
    if label is not None:
        classes = sorted({str(raw) for raw in labels if raw is not None})
        texts = [text for text, raw in zip(texts, labels, strict=True) if raw == label]
        if not texts:
            has = f"its classes are {', '.join(classes)}" if classes else "it has no labels"
            raise UserError(f"{path}: no text of class {label!r}; {has}")
    if not texts:
        raise UserError(f"{path}: no texts; a corpus split needs at least one")
    return texts


def read_labelled_split(path: str | Path) -> tuple[list[str], list[str]]:
    """Texts and class names of a split written by `write_corpus` from a labelled corpus, in the order of the file."""
    from lm_interpolation.data.parquet import read_parquet

    table = read_parquet(path, ["text", "label"])
    return table["text"].to_pylist(), table["label"].to_pylist()


def _write(frame: "pd.DataFrame", path: Path, labelled: bool) -> None:
    import pyarrow as pa

    from lm_interpolation.data.parquet import write_parquet

    # Explicit, because a label column with only nulls would otherwise have the type null.
    fields = [("row", pa.int64()), ("text", pa.string()), *([("label", pa.string())] if labelled else [])]
    table = pa.Table.from_pandas(frame, schema=pa.schema(fields), preserve_index=False)
    write_parquet(table.replace_schema_metadata(None), path)

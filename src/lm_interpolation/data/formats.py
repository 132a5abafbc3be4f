"""Formats of data files, by their names.

The Snakefile imports this module, so it imports no heavy package.
"""

from pathlib import PurePath

_FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".json": "jsonl", ".jsonl": "jsonl", ".parquet": "parquet"}
ENDINGS = ", ".join(_FORMATS)


def format_of(path: str) -> str | None:
    """``csv``, ``jsonl`` or ``parquet``, from the extension of ``path`` (before .gz, if present); None for others."""
    return _FORMATS.get(PurePath(path.removesuffix(".gz")).suffix)

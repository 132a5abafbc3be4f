"""Parquet files that detect damage: each carries a digest of all its bytes, which every read checks.

Parquet's own checksums cover pages of data, but not the footer, which says what their bytes mean. So
the digest is in the key-value metadata of the footer, where other readers ignore it. It is computed with zeros
in its place.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from lm_interpolation.jobs.runtime import UserError, atomic_path

_KEY = b"lm-interpolation.xxh3-128"
_ZEROS = b"0" * 32


def write_parquet(table: pa.Table, path: str | os.PathLike[str], compression: str = "snappy") -> None:
    """Write ``table`` to ``path``, whole or not at all; equal tables give equal bytes."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression=compression, write_page_checksum=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_KEY: _ZEROS})
    content = bytearray(sink.getvalue())
    place = _place_of_digest(content)
    assert place is not None and content[place : place + len(_ZEROS)] == _ZEROS
    content[place : place + len(_ZEROS)] = _digest(content, place)
    with atomic_path(path) as scratch:
        scratch.write_bytes(content)


def read_parquet(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> pa.Table:
    """The table in ``path``, or some of its ``columns``.

    A file without a digest was not written by ``write_parquet``. It is still read, and the log says so. Raises
    ``UserError`` if the file is damaged, ``OSError`` if it cannot be opened.
    """
    content = Path(path).read_bytes()
    place = _place_of_digest(content)
    if place is None:
        print(f"{path}: has no digest (written by an older version, or by hand); read unchecked", file=sys.stderr)
    elif content[place : place + len(_ZEROS)] != _digest(content, place):
        raise _damaged(path, "its bytes do not match their digest")
    try:
        source = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        table = source.read(columns=None if columns is None else list(columns))
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, str(error).strip().splitlines()[0]) from error
    # The digest belongs to the file, not to the table.
    metadata = {key: value for key, value in (table.schema.metadata or {}).items() if key != _KEY}
    return table.replace_schema_metadata(metadata or None)


def _damaged(path: str | os.PathLike[str], reason: str) -> UserError:
    return UserError(f"{path}: damaged ({reason}); delete it and run again")


def _place_of_digest(content: bytes | bytearray) -> int | None:
    """Where the digest starts: after its key in the footer. The length of the footer precedes the last four bytes."""
    footer = max(0, len(content) - 8 - int.from_bytes(content[-8:-4], "little"))
    key = content.rfind(_KEY, footer)
    # In between, Thrift's compact protocol puts a byte for the field and one for the length of the value.
    return None if key < 0 else key + len(_KEY) + 2


def _digest(content: bytes | bytearray, place: int) -> bytes:
    """xxh3-128, as 32 hexadecimal digits, of ``content`` with zeros instead of the digest at ``place``."""
    view = memoryview(content)
    digest = xxhash.xxh3_128(view[:place])
    digest.update(_ZEROS)
    digest.update(view[place + len(_ZEROS) :])
    return digest.hexdigest().encode()

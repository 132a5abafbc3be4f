"""What all readers of data files share: the file itself, its encoding, its lines and the names of its columns.

The Snakefile imports this module, so it imports no heavy package.
"""

import codecs
import gzip
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from lm_interpolation.jobs.runtime import UserError

_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"
_ANNEX_POINTER = b"/annex/objects/"
_C1_CONTROL = re.compile("[\x80-\x9f]")
# Control characters, without tab and the ends of lines and pages.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")


def require_file(path: Path, key: str) -> None:
    """Raise ``UserError`` unless ``path`` is a file, and not a pointer to data that are not fetched yet."""
    if path.is_symlink() and not path.exists() and "annex/objects" in os.readlink(path):  # noqa: PTH115
        raise UserError(f"{path}: git-annex has not fetched the file; run git annex get {path}")
    if not path.is_file():
        raise UserError(f"{path}: {'not a file' if path.exists() else 'no such file'}; correct {key}")
    with open(path, "rb") as handle:
        head = handle.read(len(_LFS_POINTER))
    if head == _LFS_POINTER:
        raise UserError(f"{path}: a pointer of Git LFS in place of the data; fetch the real file with git lfs pull")
    if head.startswith(_ANNEX_POINTER):
        raise UserError(f"{path}: a pointer of git-annex in place of the data; run git annex get {path}")


def require_columns(
    wanted: Iterable[str], present: Sequence[str], place: str, remedy: str = "rename one of them in the file"
) -> None:
    """Raise ``UserError`` unless each wanted column occurs exactly once; ``remedy`` is for duplicate names."""
    for column in wanted:
        if column not in present:
            raise UserError(f"{place}: no column {column!r}; it has {', '.join(present)}")
        if (count := list(present).count(column)) > 1:
            raise UserError(f"{place}: {count} columns are called {column!r}; {remedy}")


def read_text(path: Path, key: str, encoding: str = "utf-8") -> str:
    """The whole of a text file (a ``.gz`` one decompressed), without a byte order mark.

    Raises ``UserError`` for a missing or incomplete file, and for bytes that are not in ``encoding``.
    """
    require_file(path, key)
    data = path.read_bytes()
    if path.suffix == ".gz":
        try:
            data = gzip.decompress(data)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UserError(f"{path}: not a whole gzip file ({error}); fetch it again") from None
    return decode_text(data, str(path), encoding)


def decode_text(data: bytes, place: str, encoding: str = "utf-8") -> str:
    """The text of ``data`` without a byte order mark; ``place`` is how messages call it.

    Raises ``UserError`` for bytes that are not in ``encoding``.
    """
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        name = "UTF-8" if encoding == "utf-8" else encoding
        raise UserError(
            f"{place}:{line}: byte 0x{data[error.start]:02x} at offset {error.start} is not {name}; "
            f"{_other_encoding(data, error.start)}"
        ) from None
    except UnicodeError as error:
        # From codecs such as idna, which name no byte.
        raise UserError(f"{place}: not {encoding} ({' '.join(str(error).split())}); correct `encoding`") from None
    _refuse_c1(text, place, encoding)
    return text.removeprefix("\ufeff")


def _other_encoding(data: bytes, start: int) -> str:
    """The remedy for bytes that are not in the declared encoding; the first wrong one is at ``start``."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "the file starts like UTF-16: set `encoding: utf-16`"
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        text = "\x80"
    if _CONTROL.search(text):
        return "find out its encoding and name it (`encoding: ...`)"
    # One byte is one character.
    word = re.findall(r"\S*$", text[max(0, start - 20) : start])[0] + re.findall(r"^\S*", text[start : start + 20])[0]
    return f"it may be cp1252, where this word is {word!r}: if that is right, set `encoding: cp1252`"


def _refuse_c1(text: str, place: str, encoding: str) -> None:
    """ISO 8859 has control characters where the code pages of Windows have quotes and dashes."""
    name = codecs.lookup(encoding).name
    found = _C1_CONTROL.search(text) if name.startswith("iso8859-") else None
    if found:
        line = text.count("\n", 0, found.start()) + 1
        western = name in ("iso8859-1", "iso8859-15")
        remedy = "set `encoding: cp1252`" if western else "name that of its alphabet, one of cp1250 to cp1258"
        raise UserError(
            f"{place}:{line}: U+{ord(found[0]):04X} in {encoding} is a control character; the file is probably "
            f"in a Windows code page: {remedy}"
        )


def read_lines(path: Path, key: str, encoding: str = "utf-8") -> list[str]:
    """The lines of a file without their ends (LF or CRLF). Raises ``UserError`` as ``read_text`` does.

    Not ``str.splitlines``, which also cuts at characters that occur within texts (U+2028, form feed).
    """
    text = read_text(path, key, encoding)
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def one_line(error: Exception) -> str:
    """The whole of a library's error message, on one line."""
    return " ".join(str(error).split())

"""Text files in one zip or tar archive, a common form of downloads; the archive is not unpacked."""

import fnmatch
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import Declared, declared_paths
from lm_interpolation.data.data_files import decode_text, one_line, require_columns, require_file
from lm_interpolation.data.raw_tables import Table, needed_columns
from lm_interpolation.data.steps import CLASS_FILES, REMEDIES, make_corpus
from lm_interpolation.jobs.runtime import UserError

if TYPE_CHECKING:
    import pandas as pd


def load_archive(corpus: Mapping[str, Any], name: str) -> dict[str, "pd.DataFrame"]:
    """Read each file of an archive that a pattern matches as one text; see ``make_corpus``.

    Files are sorted by name within each pattern. Raises ``UserError`` for a file that is not a zip or tar archive or is
    damaged, for a pattern without files, and for a file that two patterns match.
    """
    key, columns, path = f"corpora.{name}", needed_columns(corpus), Path(corpus["path"])
    require_file(path, f"{key}.path")
    names = sorted(file for file, _ in _members(path, key, ()))
    owners: dict[str, Declared] = {}
    chosen = {
        split: [(file, entry) for entry in entries for file in _matching(names, entry, path, key, owners)]
        for split, entries in declared_paths(corpus).items()
    }
    # An archive may hold much besides.
    contents = dict(_members(path, key, owners))
    tables = {}
    for split, files in chosen.items():
        places = [f"{path}/{file}" for file, _ in files]
        encoding = corpus.get("encoding", "utf-8")
        texts = [decode_text(contents[file], f"{path}/{file}", encoding) for file, _ in files]
        values = {"text": texts}
        if "class_files" in corpus:
            values["label"] = [str(entry.class_name) for _, entry in files]
        require_columns(columns, list(values), key)
        tables[split] = [Table(values, places.__getitem__, untyped=True)]
    return make_corpus(tables, corpus, name, CLASS_FILES if "class_files" in corpus else REMEDIES)


def _members(path: Path, key: str, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of all files in the archive; the content of those that are not ``wanted`` is empty."""
    try:
        yield from (_in_zip if zipfile.is_zipfile(path) else _in_tar)(path, wanted)
    # Errors of any of the compressions; RuntimeError is a password.
    except (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise UserError(f"{path}: not a readable zip or tar archive ({one_line(error)}); check {key}.path") from None


def _in_zip(path: Path, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield member.filename, archive.read(member) if member.filename in wanted else b""


def _in_tar(path: Path, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file.read() if member.name in wanted else b""
        # Without it tarfile takes an archive that was cut between two members for a whole one.
        assert archive.fileobj is not None
        archive.fileobj.seek(archive.offset)
        if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it is cut off: its end is not marked")


def _matching(names: Sequence[str], entry: Declared, path: Path, key: str, owners: dict[str, Declared]) -> list[str]:
    """The files that the pattern of ``entry`` matches, which ``owners`` takes up."""
    files = [file for file in names if fnmatch.fnmatchcase(file, entry.path)]
    if not files:
        some = ", ".join(names[:3])
        raise UserError(
            f"{key}.{entry.key}: no file in {path} matches {entry.path!r}; it has {len(names)}, among them {some}"
        )
    for file in files:
        if file in owners:
            raise UserError(
                f"{key}.{entry.key}: {file} is also among the files of {owners[file].key}; take it out of one"
            )
        owners[file] = entry
    return files

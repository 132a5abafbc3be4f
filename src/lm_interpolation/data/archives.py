"""The files in a zip or tar archive, which is not unpacked."""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from lm_interpolation.data.data_files import one_line
from lm_interpolation.jobs.runtime import UserError

Wanted = Callable[[str], bool]
"""Whether the content of the file with this name is wanted."""


def archive_files(path: Path, wanted: Wanted, remedy: str) -> Iterator[tuple[str, bytes]]:
    """(name, content) of all regular files in the archive, in its order; unwanted ones have an empty content.

    Raises ``UserError``, which ends with ``remedy``, for a file that is not a zip or tar archive, or is damaged.
    """
    try:
        yield from (_in_zip if zipfile.is_zipfile(path) else _in_tar)(path, wanted)
    # Errors of any of the compressions; RuntimeError is a password.
    except (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise UserError(f"{path}: not a readable zip or tar archive ({one_line(error)}); {remedy}") from None


def _in_zip(path: Path, wanted: Wanted) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield member.filename, archive.read(member) if wanted(member.filename) else b""


def _in_tar(path: Path, wanted: Wanted) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file.read() if wanted(member.name) else b""
        # Without it tarfile takes an archive that was cut between two members for a whole one.
        assert archive.fileobj is not None
        archive.fileobj.seek(archive.offset)
        if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it is cut off: its end is not marked")

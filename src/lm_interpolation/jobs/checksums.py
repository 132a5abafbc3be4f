"""Detects damaged model folders: a file beside the model's files lists their sizes and digests.

A weight with a flipped bit is still a weight: only a digest shows the damage. The digest is
xxh3-128, which is faster than any disk (12 GB/s measured on one core; sha256: 0.7).
"""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from io import FileIO
from pathlib import Path

import xxhash

from lm_interpolation.jobs.runtime import UserError

CHECKSUMS = "checksums.json"
"""The file beside a model's files: name -> [size in bytes, digest]."""

_CHUNK = 1 << 20


def write_checksums(
    directory: str | os.PathLike[str], name: str = CHECKSUMS, digests: Mapping[str, str] | None = None
) -> None:
    """Write the file ``name`` into ``directory``, about all other files there; equal files give equal bytes.

    ``digests`` (name -> xxh3-128, hexadecimal) are for files that need not be read again.
    """
    directory, digests = Path(directory), digests or {}
    files = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    checksums = {
        file: [(directory / file).stat().st_size, digests.get(file) or _digest(directory / file)]
        for file in files
        if file != name
    }
    (directory / name).write_text(json.dumps(checksums, indent=2) + "\n", encoding="utf-8")


def check_files(directory: str | os.PathLike[str], name: str = CHECKSUMS, only: Collection[str] | None = None) -> None:
    """Raise ``UserError``, without a remedy, naming a file that differs from what ``write_checksums`` saw.

    ``only`` names the files that matter, by default all.
    """
    for path, digest in _entries(directory, name, only).items():
        _compare(path, _digest(path), digest, name)


def check_present(
    directory: str | os.PathLike[str], remedy: str | None = None, only: Collection[str] | None = None
) -> None:
    """Check that the files of a model or tokenizer folder that has digests are there, and of their sizes.

    Looks only at these files and reads none; ``only`` as for ``check_files``. ``remedy`` is what an error says to do.
    Its default helps with a folder that the workflow made: Snakemake sees the folder and would not make it again.
    Raises ``UserError`` naming the file.
    """
    if Path(directory, CHECKSUMS).exists():
        with _remedy(directory, remedy):
            _entries(directory, CHECKSUMS, only)


def check_model(directory: str | os.PathLike[str]) -> None:
    """Check all files of a model or tokenizer folder of ours against their digests.

    A folder without digests was not written by the workflow. It is not checked, and the log says so.
    Raises ``UserError`` naming a file that is damaged or missing.
    """
    with checked_reader(directory):
        pass


Reader = Callable[[Path, int, memoryview], None]
"""Fills a buffer with the bytes of a file from an offset on."""


def read_file(file: Path, start: int, buffer: memoryview) -> None:
    """Fill ``buffer`` with the bytes of ``file`` from ``start`` on. Raises ``UserError`` if it ends before."""
    with open(file, "rb", buffering=0) as handle:
        _fill(handle, start, buffer)


@contextlib.contextmanager
def checked_reader(directory: str | os.PathLike[str]) -> Iterator[Reader]:
    """Read the weights of a model folder, and check all of it as ``check_model`` does, by the end of the block.

    Weights (safetensors) are digested while they are read: reading them in the order of the file reads them once. All
    other files are checked before the block. An error about damage replaces a ``UserError`` in the block, which the
    damage may have caused.
    """
    digests: dict[Path, str] = {}
    if Path(directory, CHECKSUMS).exists():
        with _remedy(directory):
            digests = _entries(directory, CHECKSUMS)
            for path, digest in digests.items():
                if path.suffix != ".safetensors":
                    _compare(path, _digest(path), digest, CHECKSUMS)
    else:
        print(
            f"{directory}: has no {CHECKSUMS} (made by an older version, or by hand); read unchecked", file=sys.stderr
        )
    with contextlib.ExitStack() as stack:
        files: dict[Path, _DigestedFile] = {}

        def opened(file: Path) -> _DigestedFile:
            if file not in files:
                files[file] = _DigestedFile(stack.enter_context(open(file, "rb", buffering=0)))
            return files[file]

        def check() -> None:
            with _remedy(directory):
                for path, digest in digests.items():
                    if path.suffix == ".safetensors":
                        _compare(path, opened(path).digest(), digest, CHECKSUMS)

        try:
            yield lambda file, start, buffer: opened(file).read(start, buffer)
        except UserError:
            check()
            raise
        check()


class _DigestedFile:
    """A file that is digested while threads read it; the digest covers all before ``_position``."""

    def __init__(self, handle: FileIO) -> None:
        self._handle, self._digest, self._position = handle, xxhash.xxh3_128(), 0
        self._lock = threading.RLock()
        # Read further ahead if the file is not in memory yet.
        os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def read(self, start: int, buffer: memoryview) -> None:
        """As ``read_file``. Reads in the order of the file go into the digest, with what they skip."""
        with self._lock:
            if start >= self._position:
                if start > self._position:
                    self._pass_to(start)
                _fill(self._handle, start, buffer)
                self._digest.update(buffer)
                self._position += len(buffer)
                return
        # What has been digested is read without waiting for others.
        _fill(self._handle, start, buffer)

    def digest(self) -> str:
        """The digest (hexadecimal) of the whole file."""
        self._pass_to(os.fstat(self._handle.fileno()).st_size)
        return self._digest.hexdigest()

    def _pass_to(self, end: int) -> None:
        buffer = memoryview(bytearray(_CHUNK))
        while (left := end - self._position) > 0:
            self.read(self._position, buffer[:left])


def _fill(handle: FileIO, start: int, buffer: memoryview) -> None:
    while buffer:
        try:
            count = os.preadv(handle.fileno(), [buffer], start)
        except OSError as error:
            # The system does not say which file it was.
            raise UserError(f"{handle.name}: cannot be read ({error.strerror})") from error
        if not count:
            raise UserError(f"{handle.name}: shrank while it was read; copy or download it again")
        start, buffer = start + count, buffer[count:]


def _digest(path: Path) -> str:
    with open(path, "rb", buffering=0) as handle:
        return _DigestedFile(handle).digest()


def _entries(directory: str | os.PathLike[str], name: str, only: Collection[str] | None = None) -> dict[Path, str]:
    """The digests of the files that ``name`` lists (or of those among ``only``), all there and of the right size."""
    file = Path(directory, name)
    try:
        checksums = json.loads(file.read_text(encoding="utf-8"))
        listed = {entry: (int(size), str(digest)) for entry, (size, digest) in checksums.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{file}: damaged (not a list of checksums)") from None
    entries = {}
    for entry, (size, digest) in listed.items():
        if only is not None and entry not in only:
            continue
        # Folders may come from anywhere: read nothing outside of them.
        if Path(entry).is_absolute() or ".." in Path(entry).parts:
            raise UserError(f"{file}: damaged (lists {entry}, which lies elsewhere)")
        path = Path(directory, entry)
        if not path.is_file():
            raise UserError(f"{path}: missing")
        if path.stat().st_size != size:
            raise UserError(f"{path}: damaged ({path.stat().st_size} bytes instead of {size})")
        entries[path] = digest
    return entries


def _compare(path: Path, found: str, expected: str, name: str) -> None:
    if found != expected:
        raise UserError(f"{path}: damaged (its bytes do not match the digest in {name})")


@contextlib.contextmanager
def _remedy(directory: str | os.PathLike[str], remedy: str | None = None) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f"{error}; {remedy or f'delete {directory} and run again'}") from None

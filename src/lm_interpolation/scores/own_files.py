"""A study's own code files, represented by their digests in the settings of jobs."""

import functools
import os
from collections.abc import Mapping
from pathlib import Path

from lm_interpolation.jobs.code import parse_code, tree_digest
from lm_interpolation.jobs.runtime import UserError, sha256


def source_digest(file: str | os.PathLike[str]) -> str:
    """16 hex digits that change with a file: with any byte, but for Python files not with comments and docstrings.

    Raises ``OSError`` if it cannot be read.
    """
    path = Path(file)
    state = path.stat()
    return _digest(path, state.st_mtime_ns, state.st_size)


def check_digests(digests: Mapping[str, str]) -> None:
    """Raise ``UserError`` for the first file that has changed since the run was planned, when its digest was taken."""
    for file, digest in digests.items():
        try:
            found = source_digest(file)
        except OSError as error:
            raise UserError(f"{file}: {error.strerror}") from None
        if found != digest:
            raise UserError(f"{file}: changed after this run began; run again to use the file as it is now")


# Planning asks once per line of points.
@functools.cache
def _digest(path: Path, modified: int, size: int) -> str:
    if path.suffix == ".py":
        try:
            return tree_digest(parse_code(path.read_bytes(), str(path)))
        except (SyntaxError, ValueError):
            # Running it will report the error.
            pass
    return sha256(path)[0][:16]

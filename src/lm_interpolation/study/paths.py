"""Checks of paths that a study contains.

``Path.is_file`` and ``Path.is_dir`` raise an error in an unreadable folder, or if a name is too long.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from lm_interpolation.jobs.runtime import UserError


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file at ``path`` that can be found."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def is_dir(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder at ``path`` that can be found."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


@contextlib.contextmanager
def system_errors() -> Iterator[None]:
    """Turn system errors about a path in the block into one line."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{str(error.filename)[:60]}: {error.strerror}; correct the path, or its permissions") from None

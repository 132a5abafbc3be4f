"""Output of commands outside of jobs: written whole or not at all, and never mixed with that of another process.

Jobs have locks of their own instead (see ``runtime``). Commands have none, and two of them may write the same thing at
once.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lm_interpolation.jobs.runtime import UserError, flush

_PREFIX = ".unfinished-"


@contextlib.contextmanager
def own_scratch(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path beside ``path`` that only this process knows, and that becomes ``path`` at the end of the block.

    A file replaces an older one in one step. A folder replaces nothing: if another process was faster, this one
    raises ``UserError`` and changes nothing. Data are flushed to the disk first. After an error, or a
    signal that raises one, nothing remains; the next process here removes what a killed one has left.

    Raises ``UserError`` with ``path`` if it cannot be written, and with its own name for a file that cannot be read.
    """
    target = Path(path)
    with contextlib.ExitStack() as stack:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(target.parent)
            folder = stack.enter_context(_locked_folder(target.parent))
            # With the whole name: some derive the format from its end.
            scratch = folder / target.name
            yield scratch
            flush(scratch)
            _publish(scratch, target)
        except OSError as error:
            reason = error.strerror or str(error)
            if error.filename is not None and not _is_in(error.filename, target.parent):
                raise UserError(f"{error.filename}: cannot be read ({reason})") from error
            raise UserError(f"{target}: not written: {reason}") from error


def refuse_existing(target: Path) -> None:
    """Raise ``UserError`` if something is at ``target``, even a broken link."""
    if os.path.lexists(target):
        raise UserError(f"{target}: is there already; give another name, or remove it")


def _publish(scratch: Path, target: Path) -> None:
    if not scratch.is_dir():
        scratch.replace(target)
        return
    try:
        # Fails if anything but an empty folder is there.
        scratch.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            refuse_existing(target)
        raise


def _is_in(file: str | bytes, folder: Path) -> bool:
    """Whether ``file`` is ``folder`` or our scratch in it, so that the error is not about an input."""
    path = Path(os.fsdecode(file))
    return path in (folder, *folder.parents) or any(part.startswith(_PREFIX) for part in path.parts)


@contextlib.contextmanager
def _locked_folder(parent: Path) -> Iterator[Path]:
    """A new folder in ``parent``, locked for as long as the block runs, and then removed."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        # Until it is locked, another process may consider it abandoned.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY)
            # If folders cannot be locked (NFS), nobody considers ours abandoned either.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                break
            os.close(descriptor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed processes have left in ``parent``: everything that no process has locked."""
    for folder in parent.glob(f"{_PREFIX}*"):
        # It may belong to somebody else, or be gone by now; it only costs space.
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)

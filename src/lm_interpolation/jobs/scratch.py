"""What commands write outside of jobs: whole or not at all, and never mixed with what another process writes.

A job has its lock (see ``runtime``). Commands have none, and two of them may well be asked for the same thing at once.
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

    A file replaces an older one, in one step. A folder replaces nothing: who finds that another process was faster
    raises ``UserError``, and leaves what is there as it is. Data are flushed to the disk before. After an error, and
    after signals that raise one, nothing is left; what a killed process has left, the next one here removes.

    Raises ``UserError`` with ``path`` if it cannot be written, and with its own name for a file that cannot be read.
    """
    target = Path(path)
    with contextlib.ExitStack() as stack:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(target.parent)
            folder = stack.enter_context(_locked_folder(target.parent))
            # With the whole name: some tell the format by its end.
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
    """Raise ``UserError`` if something is at ``target``, be it a link that leads nowhere."""
    if os.path.lexists(target):
        raise UserError(f"{target}: is there already; give another name, or remove it")


def _publish(scratch: Path, target: Path) -> None:
    if not scratch.is_dir():
        scratch.replace(target)
        return
    try:
        # Fails where anything but an empty folder is.
        scratch.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            refuse_existing(target)
        raise


def _is_in(file: str | bytes, folder: Path) -> bool:
    """Whether ``file`` is ``folder`` or our scratch in it, and not what is read."""
    path = Path(os.fsdecode(file))
    return path in (folder, *folder.parents) or any(part.startswith(_PREFIX) for part in path.parts)


@contextlib.contextmanager
def _locked_folder(parent: Path) -> Iterator[Path]:
    """A new folder in ``parent``, locked for as long as the block runs, and then removed."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        # Until it is locked another process may take it for abandoned.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY)
            # Where folders cannot be locked (NFS), nobody takes ours for abandoned, either.
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
    """Remove what killed processes have left in ``parent``: what nobody has locked."""
    for folder in parent.glob(f"{_PREFIX}*"):
        # It may be somebody else's, or gone by now; it costs nothing but room.
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)

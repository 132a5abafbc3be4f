"""What every job needs: clear errors, atomic outputs, a log, and progress.

Imports no heavy package: the Snakefile and every script load this module.
"""

import contextlib
import hashlib
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO


class UserError(Exception):
    """A mistake in what the user gave us (config, data, model), told in one line.

    The message names the file or config key, what is wrong and what to do. It is shown without a traceback.
    """


@contextlib.contextmanager
def error_prefix(where: str) -> Iterator[None]:
    """Put ``where``, a config key or a file, in front of a ``UserError`` raised in the block."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a scratch path next to ``path`` that becomes ``path`` when the block ends without an error.

    Works for a file or a directory (create it inside the block). Data are flushed to disk before the rename, so that
    after a crash ``path`` is either absent, old, or whole. On an error the scratch path is removed.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The name is fixed, so that what a killed job left is overwritten by the rerun instead of piling up.
    scratch = target.parent / f".partial-{target.name}"
    _remove(scratch)
    try:
        yield scratch
        if not scratch.exists():
            raise RuntimeError(f"{target}: nothing was written")
        for file in scratch.rglob("*") if scratch.is_dir() else [scratch]:
            if file.is_file():
                _fsync(file)
        old = target.parent / f".old-{target.name}"
        _remove(old)
        if target.is_dir() and not target.is_symlink():
            # A directory cannot be replaced in one step: the old one is set aside whole before it is deleted.
            target.rename(old)
        scratch.replace(target)
        _remove(old)
    except BaseException:
        _remove(scratch)
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_digest(*paths: str | os.PathLike[str]) -> str:
    """sha256 (hex) over the names and contents of files and, recursively, directories, in sorted order."""
    digest = hashlib.sha256()
    for path in map(Path, paths):
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            digest.update(str(file.relative_to(path.parent)).encode() + b"\0")
            with open(file, "rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()


class Progress:
    """Progress lines for people: at most one every ``interval`` seconds, on the console and in the job's log.

    >>> progress = Progress("generate theta", total=60, unit="prompts")
    >>> progress.update(20)
    """

    def __init__(self, what: str, total: int, unit: str, interval: float = 5.0) -> None:
        self.what, self.total, self.unit, self.interval = what, total, unit, interval
        self.started = self.shown = time.monotonic()

    def update(self, done: int, note: str = "") -> None:
        """Say that ``done`` of ``total`` units are done; ``note`` is appended (a loss, say)."""
        now = time.monotonic()
        if now - self.shown < self.interval and done < self.total:
            return
        self.shown = now
        rate = done / max(now - self.started, 1e-9)
        left = (self.total - done) / max(rate, 1e-9)
        announce(
            f"[{self.what}] {done}/{self.total} {self.unit}, {rate:.3g} {self.unit}/s, {left:.0f} s left"
            + (f", {note}" if note else "")
        )


# The console of the running job: stderr itself, until `run_job` sends stderr to the job's log.
_console: TextIO | None = None


def announce(message: str) -> None:
    """Print one line on the console and, within a job, in its log."""
    if _console is not None:
        print(message, file=_console, flush=True)
    print(message, file=sys.stderr, flush=True)


def run_job(main: Callable[[Any], None], snakemake: Any) -> None:
    """Run ``main(snakemake)`` as a job: all output in the job's log, progress and errors on the console too.

    A ``UserError`` ends the job with its one line; any other error leaves its traceback in the log. Both exit with
    status 1.
    """
    global _console
    log = Path(str(snakemake.log))
    log.parent.mkdir(parents=True, exist_ok=True)
    # On the level of file descriptors, so that output of libraries and child processes is caught as well.
    _console = os.fdopen(os.dup(2), "w", buffering=1)
    with open(log, "w") as handle:
        os.dup2(handle.fileno(), 1)
        os.dup2(handle.fileno(), 2)
    try:
        main(snakemake)
    except UserError as error:
        announce(f"error: {error}")
        sys.exit(1)
    except OSError as error:
        # Disk full, no permission: the operating system's own words are the clear line.
        traceback.print_exc()
        announce(f"error: rule {snakemake.rule}: {error}; details in {log}")
        sys.exit(1)
    except Exception as error:
        traceback.print_exc()
        announce(f"error: rule {snakemake.rule} failed: {type(error).__name__}: {error}; traceback in {log}")
        sys.exit(1)

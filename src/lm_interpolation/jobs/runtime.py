"""What every job needs: clear errors, atomic outputs, a log, and progress.

Imports no heavy package: the Snakefile and every script load this module.
"""

import contextlib
import errno
import fcntl
import functools
import hashlib
import json
import os
import shutil
import signal
import socket
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TextIO

from lm_interpolation.jobs.settings import arguments_of


class UserError(Exception):
    """A mistake in the user's input (config, data, model), described in one line; several mistakes in one line each.

    A line names the file or config key, what is wrong and what to do. It appears without a traceback. Quoted names and
    texts have escapes for line breaks and other characters that do not print.
    """

    def lines(self) -> list[str]:
        """One line for each mistake."""
        return [printable(str(line)) for line in self.args]

    def at(self, file: str) -> "UserError":
        """The same mistakes in a configuration that was read from ``file``."""
        return UserError(*(f"{file}: {str(line).removeprefix('config: ')}" for line in self.args))

    def __str__(self) -> str:
        return "\n".join(self.lines())


def printable(text: str) -> str:
    """``text`` on one line, with escapes for line breaks, terminal control characters and lone surrogates."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def brief(error: Exception, length: int = 300) -> str:
    """The beginning of an error message, on one line."""
    return textwrap.shorten(f"{type(error).__name__}: {error}", length)


@contextlib.contextmanager
def error_prefix(where: str) -> Iterator[None]:
    """Put ``where``, a config key or a file, in front of a ``UserError`` raised in the block."""
    try:
        yield
    except UserError as error:
        raise UserError(*(f"{where}: {line}" for line in error.args)) from None


def short_path(path: str | os.PathLike[str]) -> str:
    """``path`` relative to the working directory if it lies within it; else the absolute path, without ``../..``."""
    relative = Path(os.path.relpath(path))
    return str(Path.cwd().joinpath(path).resolve() if relative.parts[:1] == (os.pardir,) else relative)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a scratch path next to ``path`` that becomes ``path`` when the block ends without an error.

    Works for a file or a directory (create it inside the block). Data are flushed to disk before the rename, so that
    after a crash ``path`` is either absent, old, or whole. On an error the scratch path is removed.

    A job never overwrites what a later run of it wrote: it holds the job's lock until the rename, and no other run
    starts without the lock. If another run has requested it, ``UserError`` is raised and nothing is renamed (see
    ``_Claim``).
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The name is fixed, so that the rerun overwrites what a killed job left instead of adding to it.
    scratch = target.parent / f".partial-{target.name}"
    _remove(scratch)
    try:
        yield scratch
        if not scratch.exists():
            raise RuntimeError(f"{target}: nothing was written")
        flush(scratch)
        if _claim is not None and _claim.wanted():
            raise UserError(f"{target}: not written, for a later run has asked for this job; run it again")
        old = target.parent / f".old-{target.name}"
        _remove(old)
        if target.is_dir() and not target.is_symlink():
            # A directory cannot be replaced in one step: first move the old one aside, then delete it.
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


def flush(path: Path) -> None:
    """Let a file, or all files of a folder, reach the disk."""
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
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


def sha256(path: str | os.PathLike[str]) -> tuple[str, int]:
    """sha256 (hex) of the bytes of a file, and their number."""
    with open(path, "rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
        return digest, handle.tell()


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


# The console of the running job: stderr, until `run_job` redirects stderr to the job's log.
_console: TextIO | None = None


def announce(message: str) -> None:
    """Print one line on the console and, within a job, in its log."""
    if _console is not None:
        print(message, file=_console, flush=True)
    print(message, file=sys.stderr, flush=True)


def note(message: str) -> None:
    """Print one line into the log of the running job; outside of a job print nothing."""
    if _console is not None:
        print(message, file=sys.stderr, flush=True)


class _Claim:
    """A job's lock, held to the end of this process, and another process's request for it.

    Jobs outlive a killed Snakemake, and the next run starts them again. Two processes would then share
    scratch files and outputs. The orphan's results, from older settings or data, would count as those of the newer run:
    Snakemake records new parameters even for failed jobs. So a process that finds the lock taken leaves a request
    beside it and waits. The holder notices and sends itself a SIGTERM: a training saves its state, from which the other
    process continues; other jobs just end. The kernel frees the lock, however its holder ends.
    """

    PATIENCE = 150.0
    """Seconds to wait for another process to end. NFS needs 90 to free the locks of a lost node."""

    def __init__(self, log: Path) -> None:
        # Beside the log: Snakemake removes the log itself before the job starts.
        self._lock, self._wish = (log.with_name(f".{log.name}.{end}") for end in ("lock", "wanted"))
        self._held: int | None = None

    def take(self, patience: float) -> str | None:
        """Take the lock and return None, or return the reason for the log.

        Raises ``UserError`` if another process still holds it after ``patience`` seconds.
        """
        # Programs that this process starts do not inherit it: those of a training end with it (distributed.py), long
        # before another has loaded torch. Those that it forks close it. To lock it on NFS it must be open for writing.
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o666)
        deadline = None
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # Repeatedly, because the holder removes older requests when it starts.
                self._wish.touch()
                holder = os.pread(descriptor, 200, 0).decode().strip()
                if deadline is None:
                    deadline = time.monotonic() + patience
                    print(f"an earlier run of this job is asked to end: {holder}", file=sys.stderr, flush=True)
                if time.monotonic() >= deadline:
                    raise UserError(
                        f"an earlier run of this job still runs: {holder}; wait for its end, or end it (make resume "
                        "does), and run again"
                    ) from None
                time.sleep(0.1)
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
                    raise
                os.close(descriptor)
                return f"{self._lock}: this file system has no locks ({error.strerror}); two runs at once go unnoticed"
        self._held = descriptor
        os.register_at_fork(after_in_child=self._close)
        self._wish.unlink(missing_ok=True)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        threading.Thread(target=self._heed, daemon=True).start()
        return None

    def wanted(self) -> bool:
        """Whether another process waits, or has waited, for this job to end."""
        return self._wish.exists()

    def _close(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _heed(self) -> None:
        while not self.wanted():
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)


# The claim of the running job.
_claim: _Claim | None = None


@dataclass(frozen=True)
class Job:
    """What a script knows of its job besides the arguments of its ``main``: names and files, as Snakemake has them."""

    rule: str
    input: Any
    output: Any
    wildcards: Any
    log: str
    settings: str
    """The text of all that the result depends on besides the inputs: for fingerprints."""

    @property
    def top(self) -> str:
        """The folder of the study's results, wherever a module's prefix has put it: logs are ``<top>/logs/...``."""
        return os.path.commonpath([self.log, str(self.output[0])])


def run_job(main: Callable[..., None], snakemake: Any) -> None:
    """Run ``main`` as a job: all output in the job's log, progress and errors on the console too.

    ``main`` gets a ``Job``, then what ``params.execution`` holds (device, threads, batch size), on which no result
    depends, and as keyword-only arguments what ``params.settings`` holds, on which the result does::

        def main(job: Job, device: str, batch_size: int, *, sampling: dict[str, Any], precision: str) -> None:

    What made the outputs is written beside the results (``records``).

    A ``UserError`` ends the job with its one line; any other error leaves its traceback in the log. Both exit with
    status 1. So does a job whose earlier run outlived a killed Snakemake and does not end when
    asked to; the log of that run stays unchanged.
    """
    global _console, _claim
    log = Path(str(snakemake.log))
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        _claim = _Claim(log)
        note = _claim.take(_Claim.PATIENCE)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    except (UserError, OSError) as error:
        print(f"error: rule {snakemake.rule}: {error}", file=sys.stderr)
        sys.exit(1)
    # By file descriptors, so that output of libraries and child processes is caught as well.
    _console = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    if note is not None:
        print(note, file=sys.stderr)
    try:
        settings = snakemake.params.settings
        job = Job(snakemake.rule, snakemake.input, snakemake.output, snakemake.wildcards, str(snakemake.log), settings)
        execution = json.loads(getattr(snakemake.params, "execution", "{}"))
        work = functools.partial(main, job, **execution, **arguments_of(settings))
        _run_recorded(work, job) if job.output else work()
    except UserError as error:
        _fail(f"error: {error}")
    except OSError as error:
        # Disk full, no permission: the words of the operating system are clear enough.
        _fail(f"error: rule {snakemake.rule}: {error}; details in {log}", traceback.format_exc())
    except Exception as error:
        line = f"error: rule {snakemake.rule} failed: {type(error).__name__}: {error}; traceback in {log}"
        _fail(line, traceback.format_exc())


def _run_recorded(work: Callable[[], None], job: Job) -> None:
    """Do the work of a job, and leave a record of each output."""
    # Import it only here: it imports this module.
    from lm_interpolation.jobs import records

    outputs = [str(path) for path in job.output]
    # Before the work, so that an unreadable record of an input is reported at once.
    inputs = records.read_inputs([str(path) for path in job.input], job.top)
    records.forget_records(outputs, job.top)
    work()
    try:
        records.write_records(outputs, job.top, job.rule, json.loads(job.settings), inputs, job.log)
    except OSError as error:
        # The result may have taken hours: keep it, and let Snakemake know it.
        announce(f"what made {outputs[0]} could not be kept beside it: {error}; copies of it will be made again")


def _fail(line: str, details: str = "") -> NoReturn:
    """End the job with ``line`` on the console, and in the log with ``details`` before it."""
    print(line, file=_console, flush=True)
    # The log may be on the disk that is full.
    with contextlib.suppress(OSError):
        print(details + line, file=sys.stderr, flush=True)
    sys.exit(1)

"""Scores of the kind ``command``: numbers that a program assigns to each text, JSON lines in and JSON lines out."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import pandas as pd

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores.own_values import as_number, check_names, describe_text, score_columns

OnDone = Callable[[int], object]
"""Called with the number of texts done so far, e.g. ``Progress(...).update``."""

_GRACE = 10.0
"""Seconds that a program which has closed its output has to end."""

_Lines = queue.Queue[bytes | None]
"""What a program writes, line by line, and None at its end."""


def score_command(
    command: Sequence[str],
    texts: pd.DataFrame,
    scores: Sequence[str],
    timeout: float,
    progress: OnDone | None = None,
) -> pd.DataFrame:
    """The scores that a program assigns to ``texts``, as nullable float64 columns ``scores``.

    ``texts`` has the columns of ``line_texts.read_line_texts``. The program is started once, without a shell, in the
    working directory. It reads one line per text from its standard input, a JSON object with ``row``, ``sample``,
    ``point``, ``prompt``, ``continuation`` and ``text`` (prompt and continuation). It writes as many lines in the same
    order to its standard output: objects such as ``{"score": 0.3}`` with a value for each name in ``scores``, a number
    or null (no score). Its standard error goes to the log. It exits with status 0.

    Raises ``UserError`` naming the command, and the text if one is to blame, if the program cannot be started, fails,
    writes other lines, or writes nothing for ``timeout`` seconds.
    """
    what = f"command {' '.join(command)}"
    # Python waits no longer.
    timeout = min(timeout, threading.TIMEOUT_MAX)
    values: dict[str, list[float | None]] = {name: [] for name in scores}
    with _running(command, what) as process:
        lines: _Lines = queue.Queue()
        threading.Thread(target=_feed, args=(process.stdin, texts), daemon=True).start()
        threading.Thread(target=_collect, args=(process.stdout, lines), daemon=True).start()
        for index in range(len(texts)):
            line = _next_line(process, lines, timeout, what, texts, index)
            try:
                for name, value in _read(line, scores).items():
                    values[name].append(value)
            except UserError as error:
                raise UserError(f"{what}: the line for {describe_text(texts, index)} {error}") from None
            if progress:
                progress(index + 1)
        _check_end(process, lines, timeout, what)
    return score_columns(values).set_index(texts.index)


def _next_line(
    process: "subprocess.Popen[bytes]", lines: _Lines, timeout: float, what: str, texts: pd.DataFrame, index: int
) -> bytes:
    """The line for the text at ``index``. Raises ``UserError`` if the program ends first or takes too long."""
    text = describe_text(texts, index)
    try:
        line = lines.get(timeout=timeout)
    except queue.Empty:
        raise UserError(
            f"{what}: no line for {timeout:g} s, waiting for {text}; let it write each line at once (flush), or raise "
            "timeout"
        ) from None
    if line is None:
        try:
            ending = _ending(process.wait(_GRACE))
        except subprocess.TimeoutExpired:
            ending = "closes its output"
        raise UserError(f"{what}: {ending} after {index} of {len(texts)} lines, before {text}; see the log")
    return line


def _check_end(process: "subprocess.Popen[bytes]", lines: _Lines, timeout: float, what: str) -> None:
    """Raise ``UserError`` unless the program, with all texts scored, writes nothing more and exits with status 0."""
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{what}: has scored all texts, but still runs after {timeout:g} s; let it end with its input"
        ) from None
    if status:
        raise UserError(f"{what}: has scored all texts, but {_ending(status)}; let it end with 0 (see the log)")
    # Processes that it started may hold its output open.
    with contextlib.suppress(queue.Empty):
        line = lines.get(timeout=_GRACE)
        if line is not None:
            raise UserError(f"{what}: writes more than one line per text, after the last one {_shown(line)}")


def _read(line: bytes, scores: Sequence[str]) -> dict[str, float | None]:
    """The scores in a line. Raises ``UserError`` if the line is anything else."""
    example = json.dumps(dict.fromkeys(scores, 0.5))
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        raise UserError(f"is not JSON: {_shown(line)}; write an object such as {example}") from None
    if not isinstance(answer, dict):
        raise UserError(f"is not a JSON object: {_shown(line)}; write one such as {example}")
    check_names(answer, scores)
    values = {}
    for name in scores:
        try:
            values[name] = as_number(answer[name], "null")
        except UserError as error:
            raise UserError(f"has a {name!r} that {error}") from None
    return values


def _shown(line: bytes) -> str:
    text = line.decode(errors="replace").rstrip("\n")
    return f"{text[:60]!r}{'...' if len(text) > 60 else ''}"


def _ending(status: int) -> str:
    if status >= 0:
        return f"ends with status {status}"
    # Those for programs' own use have no name.
    names = {known.value: known.name for known in signal.Signals}
    return f"is ended by {names.get(-status, f'signal {-status}')}"


@contextlib.contextmanager
def _running(command: Sequence[str], what: str) -> "Iterator[subprocess.Popen[bytes]]":
    """The running program. It has ended, with all that it started, when the block is left for whatever reason."""
    try:
        # A process group of its own, so that its child processes end with it.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    except FileNotFoundError:
        raise UserError(f"{what}: there is no program {command[0]!r}; give its path, or install it") from None
    except OSError as error:
        raise UserError(f"{what}: {command[0]!r} cannot be started: {error.strerror}") from None
    with _ended_in_order():
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM, which asks a job to end, leave the block like an exception."""
    # Only the main thread handles signals.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _feed(stream: IO[bytes], texts: pd.DataFrame) -> None:
    """Write the texts. If the program stops reading, its missing lines reveal it."""
    with contextlib.suppress(OSError), stream:
        for text in texts[["row", "sample", "point", "prompt", "continuation"]].to_dict("records"):
            text["text"] = text["prompt"] + text["continuation"]
            stream.write(json.dumps(text, ensure_ascii=False).encode() + b"\n")


def _collect(stream: IO[bytes], lines: _Lines) -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)

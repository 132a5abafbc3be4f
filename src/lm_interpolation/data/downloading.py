"""Downloads of files over HTTP, which continue where an earlier one was cut, and count only with the right digest.

Imports no heavy package.
"""

import contextlib
import errno
import fcntl
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from lm_interpolation.jobs.runtime import UserError, announce, sha256

TRIES = 5
"""Attempts in a row that bring nothing before a download is given up. Between them are 1, 2, 4, ... seconds."""
TIMEOUT = 30.0
"""Seconds without an answer after which a connection counts as broken."""

_CHUNK = 1 << 18
_INTERVAL = 5.0
# Answers that may be better the next time.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Broken(Exception):
    """A connection that failed, or ended before the whole file was there; another attempt may bring the rest."""


class _Useless(Exception):
    """What an earlier download left cannot be continued; the reason."""


def mirrored(url: str, mirror: str | None) -> str:
    """``url``, or its place on a mirror: ``<mirror>/<host>/<path>``, the folders that ``wget -x`` makes."""
    parts = urlsplit(url)
    return url if mirror is None else f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}"


def part_of(url: str, folder: Path) -> Path:
    """Where a download of ``url`` lies in ``folder`` until it is whole."""
    return folder / f"{Path(urlsplit(url).path).name}.part"


def download(url: str, digest: str | None, part: Path, what: str) -> None:
    """Let ``part`` hold the whole file at ``url``; what an earlier download left there is continued.

    ``digest`` is the file's sha256 (hex). Without one nobody could tell whether two parts belong together, so that the
    download starts anew. ``what`` is how lines of progress and errors call the file. Broken connections are tried again
    ``TRIES`` times; progress starts the count anew.

    Raises ``UserError`` if the server refuses the file, if it cannot be reached or breaks off again and again (``part``
    stays, for the next run), if the disk is full or closed to us, and for another digest (``part`` is removed).
    """
    _make_folder(part.parent)
    if part.exists() and digest is None:
        announce(f"[data] {what}: no sha256 is known, so the download starts anew")
        part.unlink()
    elif part.exists() and sha256(part)[0] == digest:
        return
    failures, most = 0, _size(part)
    while True:
        try:
            _receive(url, part, what)
            break
        except _Useless as reason:
            announce(f"[data] {what}: {reason}; the download starts anew")
            part.unlink()
        except _Broken as error:
            failures = 1 if _size(part) > most else failures + 1
            most = max(most, _size(part))
            if digest is None:
                # Nothing would tell that the file changed between its two parts.
                part.unlink(missing_ok=True)
            if failures == TRIES:
                raise UserError(_given_up(url, part, what, str(error))) from None
            wait = 2 ** (failures - 1)
            announce(f"[data] {what}: {error}; again in {wait} s")
            time.sleep(wait)
    _check(url, digest, part, what)


def _receive(url: str, part: Path, what: str) -> None:
    """Append to ``part`` what it lacks. Raises ``_Broken`` and ``_Useless``, and ``UserError`` as ``download`` does."""
    start = _size(part)
    headers = {"User-Agent": "lm-interpolation", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if start and error.code == 416:
                if error.headers.get("Content-Range", "") == f"bytes */{start}":
                    return
                raise _Useless("what an earlier download left is no part of this file") from None
            if error.code in _PASSING:
                raise _Broken(f"the server answers {error.code} {error.reason}") from None
            raise UserError(f"{what}: {url} answers {error.code} {error.reason}; {_remedy(error.code)}") from None
    except (ValueError, http.client.InvalidURL) as error:
        raise UserError(f"{what}: {url} is no address ({error}); correct its url, or the mirror") from None
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(f"{urlsplit(url).netloc} cannot be reached ({_reason(error)})") from None
    with answer:
        total = _total(answer, start)
        _make_room(part, start, total)
        done = f", {_amount(start)} of them are there" if start else ""
        announce(f"[data] {what}: {url}" + (f", {_amount(total)}" if total is not None else "") + done)
        with _to_disk(part), open(part, "ab") as file:
            _copy(answer, file, start, total, what)


def _total(answer: http.client.HTTPResponse, start: int) -> int | None:
    """Bytes of the whole file; None if the server does not say. Raises ``_Useless`` unless it starts at ``start``."""
    if start == 0:
        length = answer.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None
    sent = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if answer.status != 206 or sent is None or int(sent[1]) != start:
        raise _Useless("this server cannot continue a download")
    return None if sent[2] == "*" else int(sent[2])


def _copy(answer: http.client.HTTPResponse, file: BinaryIO, start: int, total: int | None, what: str) -> None:
    """Write the rest of the file, with lines of progress. Raises ``_Broken`` if it ends too early."""
    done, began = start, time.monotonic()
    shown = began
    while True:
        try:
            chunk = answer.read1(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _Broken(f"the connection broke after {_of(done, total)} ({_reason(error)})") from None
        if not chunk:
            break
        file.write(chunk)
        done += len(chunk)
        now = time.monotonic()
        if now - shown >= _INTERVAL and done != total:
            shown = now
            announce(f"[data] {what}: {_of(done, total)}, {(done - start) / (now - began) / 1e6:.1f} MB/s")
    if total is not None and done < total:
        raise _Broken(f"the connection was cut after {_of(done, total)}")
    announce(f"[data] {what}: {_of(done, total)}")


def _check(url: str, digest: str | None, part: Path, what: str) -> None:
    found, size = sha256(part)
    if digest is None:
        announce(f"[data] {what}: no sha256 is known to compare with; this file has {found}")
    elif found != digest:
        part.unlink()
        raise UserError(
            f"{what}: {url} has the sha256 {found} ({size} bytes), not {digest}; nothing of it is kept. Run it again, "
            "for it may have been damaged on its way. If it stays so, the file is not the one that was declared: see "
            "what changed before you correct sha256"
        )
    else:
        announce(f"[data] {what}: sha256 is {found}, as declared")


def _given_up(url: str, part: Path, what: str, error: str) -> str:
    have = _size(part)
    kept = f"{part} keeps {_amount(have)}, and the next run continues there" if have else "nothing was received"
    remedy = "run it again, or check the network (https_proxy, if there is a proxy)"
    return f"{what}: {url}: {error}, {TRIES} times in a row; {kept}: {remedy}, or put the file in its place yourself"


def _remedy(code: int) -> str:
    if code in (401, 403):
        return "the server wants a login, or does not serve you: put the file in its place yourself"
    return "has the file moved? Correct its url, or put the file in its place yourself"


def _reason(error: Exception) -> str:
    """In the words of the system, which ``urllib`` wraps."""
    words = str(getattr(error, "reason", None) or error)
    return " ".join(words.split()) or type(error).__name__


def _make_folder(folder: Path) -> None:
    with _to_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _make_room(part: Path, start: int, total: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - start > free:
        raise UserError(
            f"{part.parent}: {_amount(total - start)} are to come and {_amount(free)} are free; make room "
            "there, or let the folder be a link to a larger disk"
        )


@contextlib.contextmanager
def _to_disk(path: Path) -> Iterator[None]:
    """Turn system errors about ``path`` in the block into one line."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room, and run it again" if full else "correct its permissions, or link another folder"
        raise UserError(f"{path}: cannot be written ({error.strerror}); {remedy}") from None


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let one program at a time fill ``folder``, which is created; another waits, and says so.

    Raises ``UserError`` if the folder cannot be created.
    """
    _make_folder(folder)
    # The folder, because files in it are replaced.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            announce(f"[data] another program is filling {folder}; waiting for its end")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _of(done: int, total: int | None) -> str:
    return f"{_amount(done)} of {_amount(total)} ({done / total:.0%})" if total else _amount(done)


def _amount(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"

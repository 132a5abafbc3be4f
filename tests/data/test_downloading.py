"""data/downloading.py against a web site on the loopback interface."""

import errno
import fcntl
import hashlib
import os
import random
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lm_interpolation.data import downloading
from lm_interpolation.data.downloading import alone_in, download, mirrored, part_of
from lm_interpolation.jobs.runtime import UserError
from tests.loopback import Site, serving

CONTENT = random.Random(0).randbytes(1_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between attempts, which pass at once."""
    found: list[float] = []
    monkeypatch.setattr(downloading.time, "sleep", found.append)
    return found


@pytest.fixture
def site(waits: list[float]) -> Iterator[Site]:
    made = Site()
    made.files["/a.bin"] = CONTENT
    with serving(made):
        yield made


def part(folder: Path) -> Path:
    return folder / "a.bin.part"


def fetch(site: Site, folder: Path, digest: str | None = DIGEST) -> bytes:
    download(f"{site.url}/a.bin", digest, part(folder), "mine")
    return part(folder).read_bytes()


def error_of(site: Site, folder: Path, digest: str | None = DIGEST) -> str:
    with pytest.raises(UserError) as caught:
        fetch(site, folder, digest)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_whole_file(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(site, tmp_path / "new" / "folder") == CONTENT
    assert site.asked == [("/a.bin", None)]
    assert capsys.readouterr().err.splitlines() == [
        f"[data] mine: {site.url}/a.bin, 1.0 MB",
        "[data] mine: 1.0 MB of 1.0 MB (100%)",
        f"[data] mine: sha256 is {DIGEST}, as declared",
    ]


def test_what_is_whole_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    part(tmp_path).write_bytes(CONTENT)
    assert fetch(site, tmp_path) == CONTENT
    assert site.asked == []


def test_progress_tells_bytes_share_and_speed(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "_INTERVAL", 0.0)
    monkeypatch.setattr(downloading, "_CHUNK", 250_000)
    fetch(site, tmp_path)
    lines = capsys.readouterr().err.splitlines()[1:-2]
    assert lines and all(
        re.fullmatch(r"\[data\] mine: \d+\.\d [kM]B of 1\.0 MB \(\d+%\), \d+\.\d MB/s", line) for line in lines
    )


def test_a_cut_is_continued_at_once(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], waits: Any) -> None:
    site.cuts["/a.bin"] = [400_000]
    assert fetch(site, tmp_path) == CONTENT
    assert site.asked == [("/a.bin", None), ("/a.bin", "bytes=400000-")]
    assert waits == [1]
    told = capsys.readouterr().err
    assert "mine: the connection was cut after 0.4 MB of 1.0 MB (40%); again in 1 s" in told
    assert f"mine: {site.url}/a.bin, 1.0 MB, 0.4 MB of them are there" in told


def test_a_later_run_continues(site: Site, tmp_path: Path, waits: list[float]) -> None:
    """The server breaks off half way, and sends nothing more."""
    site.cuts["/a.bin"] = [500_000] + [0] * 9
    message = error_of(site, tmp_path)
    assert message.startswith(
        f"mine: {site.url}/a.bin: the connection was cut after 0.5 MB of 1.0 MB (50%), 5 times in a row"
    )
    assert f"{part(tmp_path)} keeps 0.5 MB, and the next run continues there" in message
    assert waits == [1, 2, 4, 8]
    assert part(tmp_path).read_bytes() == CONTENT[:500_000]
    site.asked.clear()
    site.cuts.clear()
    assert fetch(site, tmp_path) == CONTENT
    assert site.asked == [("/a.bin", "bytes=500000-")]


def test_progress_starts_the_count_anew(site: Site, tmp_path: Path) -> None:
    site.cuts["/a.bin"] = [50_000] * 12
    assert fetch(site, tmp_path) == CONTENT
    assert len(site.asked) == 13


def test_a_server_that_cannot_continue_starts_anew(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.ranges = False
    part(tmp_path).write_bytes(CONTENT[:300_000])
    assert fetch(site, tmp_path) == CONTENT
    assert site.asked == [("/a.bin", "bytes=300000-"), ("/a.bin", None)]
    assert "mine: this server cannot continue a download; the download starts anew" in capsys.readouterr().err


def test_such_a_server_that_always_breaks_off_is_given_up(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    site.cuts["/a.bin"] = [600_000] * 30
    assert "cut after 0.6 MB of 1.0 MB (60%), 5 times in a row" in error_of(site, tmp_path)


def test_a_part_of_another_file_is_given_up(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part(tmp_path).write_bytes(CONTENT + b"more")
    assert fetch(site, tmp_path) == CONTENT
    assert "is no part of this file; the download starts anew" in capsys.readouterr().err


def test_a_part_of_another_version_is_refused_and_the_next_run_is_whole(site: Site, tmp_path: Path) -> None:
    part(tmp_path).write_bytes(b"other bytes")
    assert f"not {DIGEST}; nothing of it is kept" in error_of(site, tmp_path)
    assert fetch(site, tmp_path) == CONTENT


def test_another_digest_leaves_nothing(site: Site, tmp_path: Path) -> None:
    wrong = "0" * 64
    message = error_of(site, tmp_path, wrong)
    assert message.startswith(f"mine: {site.url}/a.bin has the sha256 {DIGEST} (1000000 bytes), not {wrong}")
    assert "Run it again" in message and "before you correct sha256" in message
    assert list(tmp_path.iterdir()) == []


def test_without_a_digest_it_is_told_and_nothing_is_continued(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part(tmp_path).write_bytes(CONTENT[:300_000])
    assert fetch(site, tmp_path, None) == CONTENT
    assert site.asked == [("/a.bin", None)]
    told = capsys.readouterr().err
    assert "no sha256 is known, so the download starts anew" in told
    assert f"no sha256 is known to compare with; this file has {DIGEST}" in told


def test_without_a_length_it_arrives_too(site: Site, tmp_path: Path) -> None:
    site.length = False
    assert fetch(site, tmp_path) == CONTENT


@pytest.mark.parametrize(
    ("status", "reason", "remedy"),
    [
        (404, "Not Found", "has the file moved? Correct its url"),
        (403, "Forbidden", "put the file in its place yourself"),
        (416, "Range Not Satisfiable", "has the file moved?"),
    ],
)
def test_a_refusal_is_told_at_once(
    site: Site, tmp_path: Path, waits: list[float], status: int, reason: str, remedy: str
) -> None:
    site.answers["/a.bin"] = (status, reason, {})
    message = error_of(site, tmp_path)
    assert message.startswith(f"mine: {site.url}/a.bin answers {status} {reason}; ") and remedy in message
    assert len(site.asked) == 1 and waits == []


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.answers["/a.bin"] = (503, "Service Unavailable", {})
    assert "the server answers 503 Service Unavailable, 5 times in a row; nothing was received" in error_of(
        site, tmp_path
    )
    assert len(site.asked) == 5 and waits == [1, 2, 4, 8]


def test_a_server_that_is_not_there(tmp_path: Path, waits: list[float]) -> None:
    gone = Site()
    with serving(gone):
        pass
    message = error_of(gone, tmp_path)
    assert f"{gone.url.removeprefix('http://')} cannot be reached ([Errno 111] Connection refused)" in message
    assert "check the network" in message
    assert waits == [1, 2, 4, 8]


def test_a_host_that_nobody_knows(tmp_path: Path, waits: list[float]) -> None:
    with pytest.raises(UserError, match=r"nowhere\.invalid cannot be reached \(.*\), 5 times in a row"):
        download("http://nowhere.invalid/a.bin", DIGEST, part(tmp_path), "mine")


def test_too_little_room(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(600_000))
    assert error_of(site, tmp_path).startswith(f"{tmp_path}: 1.0 MB are to come and 0.6 MB are free; make room there")
    # Of what is there already it needs no more.
    part(tmp_path).write_bytes(CONTENT[:500_000])
    assert fetch(site, tmp_path) == CONTENT


def test_a_disk_that_fills_up(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(downloading, "_copy", full)
    line = f"{part(tmp_path)}: cannot be written (No space left on device); make room, and run it again"
    assert error_of(site, tmp_path) == line


def test_a_folder_that_cannot_be_made(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = error_of(site, tmp_path / "file")
    assert message.startswith(f"{tmp_path / 'file'}: cannot be written (File exists); correct its permissions")
    with pytest.raises(UserError, match=r"cannot be written \(File exists\)"), alone_in(tmp_path / "file"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_closed_to_us(site: Site, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "a.bin.part: cannot be written (Permission denied); correct its permissions" in error_of(site, tmp_path)


def test_a_second_program_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    order = []

    def second() -> None:
        with alone_in(folder):
            order.append("second")

    with alone_in(folder):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert f"another program is filling {folder}; waiting for its end" in capsys.readouterr().err
    # Released again.
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def test_places() -> None:
    url = "https://example.org/folder/a.zip?raw=1"
    assert mirrored(url, None) == url
    assert mirrored(url, "http://mirror:80/data/") == "http://mirror:80/data/example.org/folder/a.zip"
    assert part_of(url, Path("data/x")) == Path("data/x/a.zip.part")


@pytest.mark.parametrize("address", ["mirror.local/a.bin", "http://localhost:port/a.bin"])
def test_what_is_no_address_is_told_at_once(address: str, tmp_path: Path, waits: list[float]) -> None:
    with pytest.raises(UserError, match="is no address"):
        download(address, None, part(tmp_path), "mine")
    assert waits == []


def test_parts_are_joined_only_if_a_digest_can_tell(site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.cuts["/a.bin"] = [400_000]
    download(f"{site.url}/a.bin", None, part(tmp_path), "mine")
    assert part(tmp_path).read_bytes() == CONTENT
    assert site.asked == [("/a.bin", None), ("/a.bin", None)] and waits == [1]

"""Files that commands write outside jobs: complete or not at all, by one process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lm_interpolation.jobs import scratch
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.jobs.scratch import own_scratch, refuse_existing

ROOT = Path(__file__).parents[2]


def make_folder(target: Path, text: str = "mine") -> None:
    with own_scratch(target) as path:
        path.mkdir()
        (path / "file").write_text(text)


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    with own_scratch(target) as path:
        assert (path.name, path.parent.parent) == (target.name, target.parent)
        path.mkdir()
        (path / "file").write_text("mine")
        assert not target.exists()
    assert (target / "file").read_text() == "mine"
    assert list(target.parent.iterdir()) == [target]


def test_a_file_replaces_another(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    with own_scratch(target) as path:
        path.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_a_folder_replaces_nothing(tmp_path: Path, there: str) -> None:
    target = tmp_path / "target"

    def make() -> None:
        if there == "folder":
            target.mkdir()
            (target / "theirs").touch()
        elif there == "file":
            target.write_text("theirs")
        else:
            target.symlink_to("nowhere")

    told = f"^{target}: is there already; give another name, or remove it$"
    with pytest.raises(UserError, match=told), own_scratch(target) as path:
        path.mkdir()
        (path / "file").touch()
        # By somebody else, in the meantime.
        make()
    assert list(tmp_path.iterdir()) == [target]
    assert not (target / "file").exists()
    with pytest.raises(UserError, match="is there already"):
        refuse_existing(target)


@pytest.mark.parametrize("error", [UserError("no"), ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_after_an_error_nothing_is_left(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), own_scratch(tmp_path / "target") as path:
        path.mkdir()
        (path / "file").touch()
        raise error
    assert not any(tmp_path.iterdir())


def test_what_cannot_be_written_and_what_cannot_be_read_are_told_apart(tmp_path: Path) -> None:
    target, source = tmp_path / "target", tmp_path / "source"
    told = f"^{source}: cannot be read \\(No such file or directory\\)$"
    with pytest.raises(UserError, match=told), own_scratch(target):
        source.read_text()
    with pytest.raises(UserError, match=f"^{target}: not written: No space left on device$"), own_scratch(target):
        raise OSError(28, "No space left on device")
    with pytest.raises(UserError, match=f"^{target}: not written: Not a directory$"), own_scratch(target) as path:
        path.write_text("x")
        (path / "file").write_text("x")
    (tmp_path / "file").touch()
    inside = tmp_path / "file" / "target"
    with pytest.raises(UserError, match=f"^{inside}: not written: "), own_scratch(inside):
        pass
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


WAITING = """
import sys
import time
from pathlib import Path
from lm_interpolation.jobs.scratch import own_scratch
with own_scratch(sys.argv[1]) as path:
    path.mkdir()
    print(path, flush=True)
    time.sleep(60)
"""


def test_only_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", WAITING, str(tmp_path / "theirs")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip()).parent
        make_folder(tmp_path / "mine")
        assert theirs.exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert theirs.exists()
    make_folder(tmp_path / "another")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another", "mine"]


def test_where_folders_have_no_locks_nobody_removes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(scratch.fcntl, "flock", flock)
    with own_scratch(tmp_path / "outer") as outer:
        outer.mkdir()
        make_folder(tmp_path / "inner")
        assert outer.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inner", "outer"]


def test_one_that_is_removed_before_it_is_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock, calls = scratch.fcntl.flock, []

    def late(descriptor: int, operation: int) -> None:
        calls.append(operation)
        if len(calls) == 1:
            (folder,) = tmp_path.iterdir()
            folder.rmdir()
        flock(descriptor, operation)

    monkeypatch.setattr(scratch.fcntl, "flock", late)
    make_folder(tmp_path / "target")
    assert len(calls) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_of_several_writers_one_wins_each_time(tmp_path: Path) -> None:
    """Four processes are asked for the same ten folders: each is made once, and holds what one of them wrote."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from lm_interpolation.jobs.scratch import own_scratch\n"
        "from lm_interpolation.jobs.runtime import UserError\n"
        "import os\n"
        "won = 0\n"
        "for turn in range(10):\n"
        "    try:\n"
        "        with own_scratch(f'{sys.argv[1]}/{turn}') as path:\n"
        "            path.mkdir()\n"
        "            for name in 'abc':\n"
        "                (path / name).write_text(str(os.getpid()))\n"
        "        won += 1\n"
        "    except UserError as error:\n"
        "        assert 'is there already' in str(error), error\n"
        "print(won)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(ROOT)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    won = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert all(process.returncode == 0 for process in processes) and sum(won) == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(map(str, range(10)))
    for folder in tmp_path.iterdir():
        assert len({(folder / name).read_text() for name in "abc"}) == 1

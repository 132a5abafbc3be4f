import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from lm_interpolation.jobs import runtime
from lm_interpolation.jobs.runtime import (
    Progress,
    UserError,
    announce,
    atomic_path,
    error_prefix,
    file_digest,
    short_path,
)

# --- errors ---

ROOT = Path(__file__).parents[2]


def test_paths_are_short_where_they_lie_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert short_path(tmp_path / "here" / "a" / "b.yaml") == short_path("a/b.yaml") == "a/b.yaml"
    assert short_path("../other/b.yaml") == str(tmp_path / "other" / "b.yaml")
    # A name that only begins with dots.
    assert short_path("..b.yaml") == "..b.yaml"


def test_error_prefix_names_the_place_of_user_errors_only() -> None:
    with pytest.raises(UserError, match=r"^config: sweeps\.mine: wrong; fix it$"), error_prefix("config: sweeps.mine"):
        raise UserError("wrong; fix it")
    with pytest.raises(ValueError, match=r"^wrong$"), error_prefix("config"):
        raise ValueError("wrong")


# --- atomic writes ---


def partials(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".partial-*")]


def test_a_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "table.csv"
    with atomic_path(target) as scratch:
        assert scratch.parent == target.parent and not scratch.exists()
        scratch.write_text("half")
        assert not target.exists()
        scratch.write_text("whole")
    assert target.read_text() == "whole"
    assert partials(tmp_path) == []


def test_a_directory_replaces_a_directory(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for content in ("old", "new"):
        with atomic_path(target) as scratch:
            (scratch / content).mkdir(parents=True)
            (scratch / content / "weights").write_text(content)
    assert [path.name for path in target.iterdir()] == ["new"]
    assert (target / "new" / "weights").read_text() == "new"
    assert partials(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_an_error_leaves_what_was_there(error: BaseException, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "weights").write_text("old")
    with pytest.raises(type(error)), atomic_path(tmp_path / "file") as scratch:
        scratch.write_text("new")
        raise error
    with pytest.raises(type(error)), atomic_path(tmp_path / "folder") as scratch:
        scratch.mkdir()
        (scratch / "weights").write_text("new")
        raise error
    with pytest.raises(type(error)), atomic_path(tmp_path / "absent") as scratch:
        scratch.write_text("new")
        raise error
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "weights").read_text() == "old"
    assert not (tmp_path / "absent").exists()
    assert partials(tmp_path) == []


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="nothing was written"), atomic_path(tmp_path / "file"):
        pass


def test_what_a_killed_job_left_is_overwritten(tmp_path: Path) -> None:
    killed = f"""
        import os, signal
        from lm_interpolation.jobs.runtime import atomic_path
        managers = [atomic_path({str(tmp_path)!r} + "/" + name) for name in ("file", "folder")]
        for name, manager in zip(("file", "folder"), managers):
            scratch = manager.__enter__()
            if name == "folder":
                scratch.mkdir()
                scratch = scratch / "stale"
            scratch.write_text("half of a longer text")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(killed)], cwd=ROOT, check=False).returncode == -9
    assert sorted(partials(tmp_path)) == [".partial-file", ".partial-folder"]
    assert not (tmp_path / "file").exists() and not (tmp_path / "folder").exists()

    with atomic_path(tmp_path / "file") as scratch:
        assert not scratch.exists()
        scratch.write_text("whole")
    with atomic_path(tmp_path / "folder") as scratch:
        scratch.mkdir()
        (scratch / "weights").write_text("whole")
    assert (tmp_path / "file").read_text() == "whole"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["weights"]
    assert partials(tmp_path) == []


# --- digests ---


def test_a_digest_depends_on_names_and_contents(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder / "model" / "inner").mkdir(parents=True)
        (tmp_path / folder / "model" / "weights").write_text("abc")
        (tmp_path / folder / "model" / "inner" / "config").write_text("def")
    one, two = tmp_path / "one" / "model", tmp_path / "two" / "model"
    first = file_digest(one)
    assert re.fullmatch("[0-9a-f]{64}", first)
    # The place of the folder does not count, nor do empty folders.
    (two / "empty").mkdir()
    assert file_digest(two) == first

    (two / "weights").write_text("abd")
    assert file_digest(two) != first
    (two / "weights").write_text("abc")
    (two / "weights").rename(two / "weight")
    assert file_digest(two) != first
    (two / "weight").rename(two / "inner" / "weights")
    assert file_digest(two) != first


def test_a_digest_tells_several_files_apart(tmp_path: Path) -> None:
    for name, content in (("a", "1"), ("b", "2"), ("empty", "")):
        (tmp_path / name).write_text(content)
    a, b, empty = tmp_path / "a", tmp_path / "b", tmp_path / "empty"
    digests = [file_digest(a), file_digest(b), file_digest(a, b), file_digest(b, a), file_digest(empty), file_digest()]
    assert len(set(digests)) == len(digests)
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "absent")


# --- progress ---


def test_progress_is_told_at_most_once_per_interval(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(runtime.time, "monotonic", lambda: now)
    progress = Progress("train base", total=100, unit="steps", interval=5)
    for seconds, done in ((1, 10), (6, 30), (8, 50), (10, 100)):
        now = 100.0 + seconds
        progress.update(done, "loss 2.5")
    assert capsys.readouterr().err.splitlines() == [
        "[train base] 30/100 steps, 5 steps/s, 14 s left, loss 2.5",
        "[train base] 100/100 steps, 10 steps/s, 0 s left, loss 2.5",
    ]


def test_outside_of_a_job_there_is_one_console(capsys: pytest.CaptureFixture[str]) -> None:
    announce("hello")
    assert capsys.readouterr() == ("", "hello\n")


# --- jobs ---


def run(folder: Path, body: str, before: str = "") -> tuple[int, str, str, str]:
    """Exit status, stdout, stderr and log of a job whose ``main`` has this body."""
    script = f"""
from types import SimpleNamespace
import errno, os, subprocess, sys
from lm_interpolation.jobs.runtime import Progress, UserError, announce, run_job

{before}
def main(job, *, value=None):
{textwrap.indent(textwrap.dedent(body), "    ")}

params = SimpleNamespace(settings='{{"settings": {{"value": 7}}}}')
files = dict(input=[], output=[], log={str(folder / "logs" / "job.log")!r})
run_job(main, SimpleNamespace(**files, rule="merge", wildcards={{}}, params=params))
"""
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, result.stderr, (folder / "logs" / "job.log").read_text()


def test_a_job_sends_its_output_to_its_log(tmp_path: Path) -> None:
    code, out, err, log = run(
        tmp_path,
        """
        print("a print", flush=True)
        os.write(2, b"a library\\n")
        subprocess.run(["echo", "a child"], check=True)
        announce("half done")
        print("value", value)
        """,
    )
    assert (code, out, err) == (0, "", "half done\n")
    assert log.splitlines() == ["a print", "a library", "a child", "half done", "value 7"]


def test_a_users_mistake_is_one_line(tmp_path: Path) -> None:
    code, out, err, log = run(tmp_path, "raise UserError(\"data.csv:3: no column 'text'; it has a, b\")")
    line = "error: data.csv:3: no column 'text'; it has a, b\n"
    assert (code, out, err, log) == (1, "", line, line)


def test_another_error_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    code, out, err, log = run(tmp_path, 'raise ValueError("NaN in h.0.attn")')
    assert (code, out) == (1, "")
    assert err == f"error: rule merge failed: ValueError: NaN in h.0.attn; traceback in {tmp_path}/logs/job.log\n"
    assert log.startswith("Traceback (most recent call last):")
    assert log.endswith("ValueError: NaN in h.0.attn\n" + err)


def test_a_full_disk_is_told_in_the_systems_words(tmp_path: Path) -> None:
    code, out, err, log = run(tmp_path, 'raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "model.safetensors")')
    assert (code, out) == (1, "")
    assert err == (
        "error: rule merge: [Errno 28] No space left on device: 'model.safetensors'; "
        f"details in {tmp_path}/logs/job.log\n"
    )
    assert "Traceback" in log and log.endswith(err)


def test_a_full_disk_that_holds_the_log_is_told_on_the_console(tmp_path: Path) -> None:
    (tmp_path / "job.log").symlink_to("/dev/full")
    process = start(tmp_path, 'print("a line that does not fit", flush=True)')
    line = f"error: rule merge: [Errno 28] No space left on device; details in {tmp_path}/job.log\n"
    assert finish(process) == (1, line)


def test_an_interrupted_job_is_no_success(tmp_path: Path) -> None:
    code, _, err, log = run(tmp_path, "raise KeyboardInterrupt")
    assert code != 0
    assert "error:" not in err and "KeyboardInterrupt" in log


def start(folder: Path, body: str, patience: float = 150) -> subprocess.Popen[str]:
    """A job whose ``main`` has this body, still running."""
    script = f"""
from types import SimpleNamespace
import os, signal, sys, time
from pathlib import Path
from lm_interpolation.jobs import runtime
from lm_interpolation.jobs.runtime import announce, atomic_path, run_job

runtime._Claim.PATIENCE = {patience}

def main(job, *, value=None):
{textwrap.indent(textwrap.dedent(body), "    ")}

params = SimpleNamespace(settings='{{"settings": {{"value": 7}}}}')
files = dict(input=[], output=[], log={str(folder / "job.log")!r})
run_job(main, SimpleNamespace(**files, rule="merge", wildcards={{}}, params=params))
"""
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate()
    return process.returncode, errors


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


# Not to be ended by a SIGTERM; it goes on once there is a file `go`.
STUBBORN = """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    here = Path({folder!r})
    announce("working")
    (here / "started").touch()
    while not (here / "go").exists():
        time.sleep(0.02)
    with atomic_path(here / "output") as scratch:
        scratch.write_text("old")
"""


def test_a_job_that_an_earlier_run_left_is_not_started_twice(tmp_path: Path) -> None:
    orphan = start(tmp_path, STUBBORN.format(folder=str(tmp_path)))
    wait_for(tmp_path / "started")
    second = start(tmp_path, 'announce("never")', patience=0)
    holder = f"process {orphan.pid} on {socket.gethostname()}"
    assert finish(second) == (
        1,
        f"an earlier run of this job is asked to end: {holder}\n"
        f"error: rule merge: an earlier run of this job still runs: {holder}; wait for its end, or end it (make resume "
        "does), and run again\n",
    )
    assert (tmp_path / "job.log").read_text() == "working\n"
    # Snakemake has noted the settings of the second: what is made with those of the first must not be taken for it.
    (tmp_path / "output").write_text("older")
    (tmp_path / "go").touch()
    code, errors = finish(orphan)
    line = f"error: {tmp_path}/output: not written, for a later run has asked for this job; run it again\n"
    assert (code, errors) == (1, "working\n" + line)
    assert (tmp_path / "output").read_text() == "older"
    assert partials(tmp_path) == []
    # The wish is fulfilled, and forgotten.
    third = f'with atomic_path({str(tmp_path / "output")!r}) as scratch: scratch.write_text("new")'
    assert finish(start(tmp_path, third)) == (0, "")
    assert (tmp_path / "output").read_text() == "new"
    assert (tmp_path / "job.log").read_text() == ""


def test_a_job_makes_way_for_a_later_run(tmp_path: Path) -> None:
    sleeping = f"""
    here = Path({str(tmp_path)!r})
    with atomic_path(here / "output") as scratch:
        scratch.write_text("old")
        (here / "started").touch()
        time.sleep(100_000)
    """
    orphan = start(tmp_path, sleeping)
    wait_for(tmp_path / "started")
    later = f'with atomic_path({str(tmp_path / "output")!r}) as scratch: scratch.write_text("new")'
    code, errors = finish(start(tmp_path, later))
    assert (code, errors) == (
        0,
        f"an earlier run of this job is asked to end: process {orphan.pid} on {socket.gethostname()}\n",
    )
    assert finish(orphan)[0] == -signal.SIGTERM
    assert (tmp_path / "output").read_text() == "new"
    assert partials(tmp_path) == []


def test_a_killed_job_bars_nobody(tmp_path: Path) -> None:
    """Nor do the programs that it had started, nor the processes that it had forked."""
    body = f"""
    import subprocess
    subprocess.Popen(["sleep", "30"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Forked twice: the second time there is nothing left to be closed.
    if os.fork() == 0:
        os.fork()
        for descriptor in (1, 2, runtime._console.fileno()):
            os.close(descriptor)
        (Path({str(tmp_path)!r}) / f"forked-{{os.getpid()}}").touch()
        time.sleep(30)
        os._exit(0)
    while len(list(Path({str(tmp_path)!r}).glob("forked-*"))) < 2:
        time.sleep(0.02)
    (Path({str(tmp_path)!r}) / "started").touch()
    time.sleep(100_000)
    """
    killed = start(tmp_path, body)
    wait_for(tmp_path / "started")
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert finish(start(tmp_path, 'announce("done")', patience=0)) == (0, "done\n")
    for path in tmp_path.glob("forked-*"):
        os.kill(int(path.name.removeprefix("forked-")), signal.SIGKILL)


def test_a_file_system_without_locks_is_noted_in_the_log(tmp_path: Path) -> None:
    code, out, err, log = run(
        tmp_path,
        'announce("done")',
        "import fcntl\ndef flock(*a): raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))\nfcntl.flock = flock",
    )
    assert (code, out, err) == (0, "", "done\n")
    assert log.splitlines() == [
        f"{tmp_path}/logs/.job.log.lock: this file system has no locks (No locks available); two runs at once go "
        "unnoticed",
        "done",
    ]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    process = start(tmp_path / "logs", "pass")
    assert finish(process) == (1, f"error: rule merge: [Errno 17] File exists: '{tmp_path}/logs'\n")


def test_jobs_load_no_heavy_package() -> None:
    # Importing torch costs 1.5 s and numpy 0.1 s, for each of hundreds of jobs and for the Snakefile.
    script = (
        "import sys; import lm_interpolation.jobs.runtime, lm_interpolation.study.study; "
        "print(sorted({'torch', 'transformers', 'numpy', 'pandas', 'datasets', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True) == "[]\n"


def test_an_error_is_one_line_whatever_it_quotes() -> None:
    error = UserError("models.a\nb: 'x\u2028\x1b[31m' is no name of \ud800 or ü; rename it")
    assert str(error) == "models.a\\nb: 'x\\u2028\\x1b[31m' is no name of \\ud800 or ü; rename it"
    with pytest.raises(UserError, match=r"^config: models\.a\\nb"), error_prefix("config"):
        raise error

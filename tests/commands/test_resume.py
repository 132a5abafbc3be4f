"""``resume``: what a killed Snakemake leaves behind, on this machine and in SLURM."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lm_interpolation.commands import resume
from lm_interpolation.jobs.runtime import UserError

ROOT = Path(__file__).parents[2]

SNAKEFILE = """
rule all:
    input:
        "done.txt",

rule job:
    output:
        "done.txt",
    script:
        "job.py"
"""

# Works in two processes until it is let go, and writes who it is; asked to end, it takes a moment.
JOB = """
import os, pathlib, signal, subprocess, sys, time

def end(*_):
    pathlib.Path("asked").touch()
    child.kill()
    sys.exit(1)

child = subprocess.Popen(["sleep", "600"])
signal.signal(signal.SIGTERM, end)
with open("started.txt", "a") as file:
    print(os.getpid(), child.pid, file=file)
while not os.path.exists("go"):
    time.sleep(0.05)
child.kill()
pathlib.Path(snakemake.output[0]).write_text(str(os.getpid()))
"""


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def run(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    # Into a file: a pipe would be held open by whatever is left behind.
    with open(folder / f"{command[0]}.log", "w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *command, "--cores", "1"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def started(folder: Path) -> list[list[int]]:
    """Process ids of the jobs that have started and of their children."""
    file = folder / "started.txt"
    return [[int(part) for part in line.split()] for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def study(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A folder in which a Snakemake runs a job."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "job.py").write_text(JOB)
    main = run(tmp_path, "snakemake")
    try:
        wait_for(lambda: started(tmp_path))
        yield tmp_path, main
    finally:
        (tmp_path / "go").touch()
        main.kill()
        main.wait(timeout=60)
        wait_for(lambda: not resume.orphans(tmp_path)[1])


def test_a_running_snakemake_is_left_alone(study: tuple[Path, subprocess.Popen[bytes]]) -> None:
    folder, main = study
    refused = run(folder, "lm_interpolation", "resume")
    assert refused.wait(timeout=60) == 1
    assert (folder / "lm_interpolation.log").read_text() == (
        f"error: a Snakemake is running in this folder (process {main.pid}); let it go on, or end it first\n"
    )
    (folder / "go").touch()
    assert main.wait(timeout=60) == 0
    assert (folder / "done.txt").read_text() == str(started(folder)[0][0])


def test_orphans_end_before_the_new_run(study: tuple[Path, subprocess.Popen[bytes]]) -> None:
    folder, main = study
    os.kill(main.pid, signal.SIGKILL)
    main.wait(timeout=60)
    ((orphan, child),) = started(folder)
    jobs, everything = resume.orphans(folder)
    assert [job.pid for job in jobs] == [orphan]
    assert {process.pid for process in everything} == {orphan, child}

    resumed = run(folder, "lm_interpolation", "resume")
    wait_for(lambda: len(started(folder)) == 2)
    # It was asked, not killed, and it is gone by now.
    assert (folder / "asked").exists()
    assert not any(process.alive() for process in everything)
    (folder / "go").touch()
    returned = resumed.wait(timeout=60)
    output = (folder / "lm_interpolation.log").read_text()
    assert returned == 0, output
    assert f"ending 1 jobs on this machine: processes {orphan}" in output
    assert (folder / "done.txt").read_text() == str(started(folder)[1][0])


def test_orphans_that_were_forked_end_before_the_new_run(tmp_path: Path) -> None:
    """Jobs with a launcher (``jobs/warm``) outlive their Snakemake, too, and save what they have when asked to end."""
    start = "from lm_interpolation.jobs.warm import launching\nonstart: launching.start()\n"
    (tmp_path / "Snakefile").write_text(start + SNAKEFILE)
    (tmp_path / "job.py").write_text(JOB)
    main = run(tmp_path, "snakemake")
    wait_for(lambda: started(tmp_path))
    ((orphan, child),) = started(tmp_path)
    os.kill(main.pid, signal.SIGKILL)
    main.wait(timeout=60)
    assert len(resume.orphans(tmp_path)[0]) == 1 and not (tmp_path / "asked").exists()

    resumed = run(tmp_path, "lm_interpolation", "resume")
    wait_for(lambda: len(started(tmp_path)) == 2)
    assert (tmp_path / "asked").exists()
    assert not Path("/proc", str(orphan)).exists() and not Path("/proc", str(child)).exists()
    (tmp_path / "go").touch()
    assert resumed.wait(timeout=60) == 0
    assert (tmp_path / "done.txt").read_text() == str(started(tmp_path)[1][0])


def test_orphans_that_do_not_end_are_killed(
    study: tuple[Path, subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, main = study
    os.kill(main.pid, signal.SIGKILL)
    main.wait(timeout=60)
    _, everything = resume.orphans(folder)
    # Stopped, they do not hear.
    for process in everything:
        os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setattr(resume, "GRACE", 0.2)
    resume.end_orphans(folder)
    assert not any(process.alive() for process in everything)


def test_jobs_of_other_folders_are_left_alone(study: tuple[Path, subprocess.Popen[bytes]], tmp_path: Path) -> None:
    assert resume.orphans(tmp_path / "elsewhere") == ([], [])
    resume.check_not_running(tmp_path / "elsewhere")


def log(folder: Path, host: str, start: int, end: int) -> None:
    """The log of a Snakemake, which is named after its start."""
    path = folder / ".snakemake" / "log" / f"2026-11-21T{start}.snakemake.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"SNAKEMAKE\n  Host: {host}\n  User: me\n")
    os.utime(path, (end, end))


def lock(folder: Path, at: int) -> None:
    path = folder / ".snakemake" / "locks" / "0.input.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (at, at))


def test_a_run_on_another_machine_is_not_taken_for_dead(tmp_path: Path) -> None:
    here = socket.gethostname()
    log(tmp_path, here, 10, end=20)
    log(tmp_path, "login7", 30, end=100)
    # Not locked: it has ended by itself.
    resume.check_not_running(tmp_path)
    lock(tmp_path, 31)
    message = r"that has locked this folder ran on login7, .* delete \.snakemake/locks$"
    with pytest.raises(UserError, match=message):
        resume.check_not_running(tmp_path)
    # Somebody tries here, and finds the folder locked.
    log(tmp_path, here, 40, end=41)
    log(tmp_path, here, 90, end=110)
    with pytest.raises(UserError, match=message):
        resume.check_not_running(tmp_path)


def test_others_that_found_the_folder_locked_do_not_count(tmp_path: Path) -> None:
    log(tmp_path, "login7", 10, end=20)
    log(tmp_path, socket.gethostname(), 30, end=100)
    lock(tmp_path, 31)
    log(tmp_path, "login7", 40, end=110)
    resume.check_not_running(tmp_path)
    # It was killed as soon as it had the lock.
    lock(tmp_path, 200)
    log(tmp_path, socket.gethostname(), 50, end=150)
    resume.check_not_running(tmp_path)


# The queue of a cluster in a file: scancel empties it.
SQUEUE = """#!/bin/sh
echo squeue "$@" >> {top}/calls
cat {top}/queue
"""
SCANCEL = """#!/bin/sh
echo scancel "$@" >> {top}/calls
: > {top}/queue
"""


def submitted(folder: Path) -> Path:
    """A folder whose Snakemake has submitted jobs."""
    (folder / ".snakemake" / "log").mkdir(parents=True)
    (folder / ".snakemake" / "log" / "1.snakemake.log").write_text("SLURM run ID: 5f9068c0-84e2-4805-94c3\n")
    return folder


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with squeue and scancel, first on the search path."""
    top = tmp_path / "slurm"
    top.mkdir()
    for name, text in (("squeue", SQUEUE), ("scancel", SCANCEL)):
        (top / name).write_text(text.format(top=top))
        (top / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{top}{os.pathsep}{os.environ['PATH']}")
    return top


def test_jobs_in_slurm_are_cancelled(tmp_path: Path, queue: Path) -> None:
    mine = submitted(tmp_path / "my study")
    (queue / "queue").write_text(
        f"7|rule_merge_wildcards_a=1|{mine}\n"
        f"12|rule_points_generate_merge|{mine}\n"
        # Two tasks of an array.
        f"9|rule_table|{mine}\n9|rule_table|{mine}\n"
        # Not from Snakemake, and from another folder.
        f"8|(null)|{mine}\n10|rule_merge|{tmp_path}/other\n"
    )
    assert resume.slurm_jobs(mine) == ["7", "9", "12"]
    resume.cancel_slurm_jobs(mine)
    calls = (queue / "calls").read_text().splitlines()
    assert [call for call in calls if call.startswith("scancel")] == ["scancel 7 9 12"]
    # It looked again.
    assert calls[-1].startswith("squeue")


def test_jobs_that_do_not_end_are_told(tmp_path: Path, queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (queue / "queue").write_text(f"7|rule_merge|{tmp_path}\n")
    (queue / "scancel").write_text("#!/bin/sh\n")
    monkeypatch.setattr(resume, "GRACE", 0)
    with pytest.raises(UserError, match="SLURM jobs 7 do not end"):
        resume.cancel_slurm_jobs(submitted(tmp_path))


def test_a_slurm_that_does_not_answer_is_an_error(tmp_path: Path, queue: Path) -> None:
    (queue / "squeue").write_text("#!/bin/sh\necho squeue: error: unable to contact slurm controller >&2\nexit 1\n")
    with pytest.raises(UserError, match="unable to contact slurm controller"):
        resume.cancel_slurm_jobs(submitted(tmp_path))


def test_slurm_is_asked_only_where_it_was_used(tmp_path: Path, queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resume.cancel_slurm_jobs(tmp_path)
    assert not (queue / "calls").exists()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="there is no squeue here; resume on the login node"):
        resume.cancel_slurm_jobs(submitted(tmp_path))

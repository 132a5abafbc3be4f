"""Continue a study whose Snakemake was killed: ``lm-interpolation resume`` and the arguments of that Snakemake.

Jobs that it left behind would keep writing to the files of the new run. So, in the folder that Snakemake ran in:

1. refuse if a Snakemake is running there;
2. cancel the jobs that it left in SLURM, end those that it left on this machine, and wait until all are gone;
3. unlock the folder and run Snakemake, which makes whatever is missing or incomplete.
"""

import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from lm_interpolation.commands.arguments import Run
from lm_interpolation.jobs.runtime import UserError

GRACE = 300.0
"""Seconds that jobs have to end when asked to: a training saves its state first."""

_SCRIPTS = Path(".snakemake") / "scripts"


@dataclass(frozen=True)
class Process:
    """A process on this machine; ``start`` distinguishes it from a later one with the same id."""

    pid: int
    parent: int
    start: str
    folder: Path
    command: tuple[str, ...]

    def alive(self) -> bool:
        now = _read(self.pid)
        return now is not None and now.start == self.start


def _read(pid: int) -> Process | None:
    """The process, or None if it has ended or belongs to somebody else."""
    entry = Path("/proc") / str(pid)
    try:
        # The name of the program, in parentheses, may itself contain spaces and parentheses.
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        command = (entry / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
        folder = (entry / "cwd").readlink()
    except OSError:
        return None
    state, parent, start = fields[0], int(fields[1]), fields[19]
    return None if state in "ZX" else Process(pid, parent, start, folder, tuple(command))


def processes() -> list[Process]:
    """All processes on this machine that we can see."""
    found = (_read(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in found if process is not None]


def _is_snakemake(process: Process) -> bool:
    """Whether it is python -m snakemake, python /path/snakemake or snakemake."""
    return any(Path(part).name == "snakemake" for part in process.command[:3])


def _is_spawned(process: Process) -> bool:
    """Whether it is a Snakemake that another Snakemake started for one of its jobs."""
    return "--mode" in process.command


def check_not_running(folder: Path) -> None:
    """Raise ``UserError`` if a Snakemake is running in ``folder``, or may be running there from another machine."""
    for process in processes():
        if process.folder == folder and _is_snakemake(process) and not _is_spawned(process):
            raise UserError(
                f"a Snakemake is running in this folder (process {process.pid}); let it go on, or end it first"
            )
    log = _log_of_the_lock(folder)
    if log is None:
        return
    host = re.search(r"^\s*host: *(\S+)", log.read_text(errors="replace"), re.MULTILINE | re.IGNORECASE)
    if host is not None and host[1] != socket.gethostname():
        raise UserError(
            f"the Snakemake that has locked this folder ran on {host[1]}, and may be alive there; resume on that "
            "machine, or, if you know that it is dead, delete .snakemake/locks"
        )


def _logs(folder: Path) -> list[Path]:
    """Snakemake's own logs, in the order of the start times in their names."""
    return sorted((folder / ".snakemake" / "log").glob("*.log"))


def _log_of_the_lock(folder: Path) -> Path | None:
    """Log of the Snakemake that locked the folder, or None if it is not locked."""
    locked = [lock.stat().st_mtime for lock in (folder / ".snakemake" / "locks").glob("*")]
    logs = _logs(folder)
    if not locked or not logs:
        return None
    # Earlier runs have written nothing since; later ones, perhaps on another machine, were refused by the lock.
    return next((log for log in logs if log.stat().st_mtime >= min(locked)), logs[-1])


def slurm_jobs(folder: Path) -> list[str]:
    """Ids of the SLURM jobs that a Snakemake submitted from ``folder`` and that have not ended.

    Raises ``UserError`` if SLURM cannot be asked.
    """
    if shutil.which("squeue") is None:
        raise UserError("jobs of this folder ran in SLURM, but there is no squeue here; resume on the login node")
    # The plugin's comment on each job begins with "rule_". The folder comes last because it may contain any character.
    command = ["squeue", "--noheader", "--user", getpass.getuser(), "--format", "%F|%k|%Z"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(
            f"cannot ask SLURM for the jobs of this folder: {done.stderr.strip()}; try again when it answers"
        )
    rows = [line.split("|", 2) for line in done.stdout.splitlines()]
    return sorted({row[0] for row in rows if row[1].startswith("rule_") and Path(row[2]) == folder}, key=int)


def cancel_slurm_jobs(folder: Path) -> None:
    """Cancel the jobs that a Snakemake left in SLURM, and wait until they have ended."""
    # The message of its plugin at the start. A machine may have SLURM's commands without a cluster that answers them.
    if not any("SLURM run ID" in log.read_text(errors="replace") for log in _logs(folder)):
        return
    jobs = slurm_jobs(folder)
    if not jobs:
        return
    print(f"cancelling {len(jobs)} SLURM jobs: {' '.join(jobs)}", file=sys.stderr, flush=True)
    # scancel fails for jobs that have ended in the meantime; that is fine.
    subprocess.run(["scancel", *jobs], check=False)
    end = time.monotonic() + GRACE
    while left := slurm_jobs(folder):
        if time.monotonic() > end:
            raise UserError(f"SLURM jobs {' '.join(left)} do not end; see squeue, and ask the cluster's administrators")
        time.sleep(1)


def orphans(folder: Path) -> tuple[list[Process], list[Process]]:
    """Jobs that a Snakemake left on this machine, and all processes that they have started."""
    everything = processes()
    scripts = str(folder / _SCRIPTS) + os.sep
    jobs = [
        process
        for process in everything
        if process.folder == folder
        and (
            # A job is python SCRIPT, or python -IS LAUNCHER SCRIPT (jobs/warm), which passes signals on.
            any(part.startswith(scripts) for part in process.command[:4])
            or (_is_snakemake(process) and _is_spawned(process))
        )
    ]
    found, pids = list(jobs), {process.pid for process in jobs}
    while children := [process for process in everything if process.parent in pids and process.pid not in pids]:
        found += children
        pids |= {process.pid for process in children}
    return jobs, found


def end_orphans(folder: Path) -> None:
    """End the jobs that a Snakemake left on this machine: terminate them, and kill them after ``GRACE`` seconds."""
    jobs, all_of_them = orphans(folder)
    if not jobs:
        return
    pids = " ".join(str(process.pid) for process in jobs)
    print(f"ending {len(jobs)} jobs on this machine: processes {pids}", file=sys.stderr, flush=True)
    # Only the jobs: they know best how to end the processes that they have started.
    _signal(jobs, signal.SIGTERM)
    if not _gone(all_of_them, GRACE):
        _signal(all_of_them, signal.SIGKILL)
        if not _gone(all_of_them, 60):
            left = [str(process.pid) for process in all_of_them if process.alive()]
            raise UserError(f"processes {' '.join(left)} cannot be killed: they wait for a disk or a device")


def _signal(targets: Collection[Process], number: int) -> None:
    for process in targets:
        # It may have just ended.
        if process.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _gone(targets: Collection[Process], seconds: float) -> bool:
    """Whether they end within this many seconds."""
    end = time.monotonic() + seconds
    while any(process.alive() for process in targets):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def main(arguments: Sequence[str]) -> None:
    """Resume the study in its working directory; does not return on success."""
    run = Run("resume", "Go on with a study whose Snakemake was killed, or whose machine was lost.", arguments)
    folder = run.folder
    if not Path("/proc/self/stat").exists():
        raise UserError("resume looks for processes in /proc, which this system lacks; see docs/cluster.md, Recovery")
    check_not_running(folder)
    cancel_slurm_jobs(folder)
    end_orphans(folder)
    command = [sys.executable, "-m", "snakemake"]
    done = subprocess.run([*command, "--unlock", *run.arguments], check=False)
    if done.returncode != 0:
        raise UserError("snakemake --unlock failed, see above; are the arguments those of the first run?")
    # Replaces this process, so that signals reach Snakemake.
    os.execv(sys.executable, [*command, "--rerun-incomplete", *run.arguments])

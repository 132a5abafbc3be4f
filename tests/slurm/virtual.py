"""A private SLURM cluster on this machine (two nodes with four fake GPUs each), and Snakemake on it."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.dag import copy_workflow

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

NEEDED = ("slurmctld", "slurmd", "sbatch", "munged")
"""Programs of the Debian packages slurmctld, slurmd, slurm-client and munge."""

# Where Debian has the daemons, whatever the user's PATH.
_DAEMONS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def missing() -> str | None:
    """Why no cluster can be started here, if none can."""
    absent = [name for name in NEEDED if shutil.which(name, path=_DAEMONS) is None]
    if absent:
        return f"no {', '.join(absent)}: apt-get install --no-install-recommends slurmctld slurmd slurm-client munge"
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        return "no snakemake-executor-plugin-slurm: make setup"
    return None


@dataclass(frozen=True)
class Job:
    """A submission as SLURM remembers it."""

    id: str
    array: str
    """Id of the array that it belongs to, or its own."""
    state: str
    """RUNNING, COMPLETED, CANCELLED, ..."""
    what: str
    """The plugin's comment: rule and wildcards."""
    gpus: int
    start: str
    """Seconds are all that SLURM keeps of a time."""
    seconds: int
    """How long it ran, so far."""
    minutes: int
    """Its time limit."""
    memory: str
    node: str


class Cluster:
    """``up`` starts it under ``folder``, or what of it is dead, and ``down`` stops it."""

    def __init__(self, folder: Path, memory_is_enforced: bool = False) -> None:
        self.folder = folder
        # Ports of their own for clusters side by side; below those that the system gives to clients.
        port = 20000 + os.getpid() % 1000 * 10
        self.knobs = {"SLURM_PORT": str(port), "SLURM_NODE_MEM": "64000", "SLURM_MEMKILL": str(int(memory_is_enforced))}

    def up(self) -> None:
        self._script("up.sh", self.folder)

    def down(self) -> None:
        self._script("down.sh", self.folder)

    def kill_node(self, name: str) -> None:
        """Crash a node: SIGKILL to its daemon and to its jobs."""
        self._script("killnode.sh", self.folder, name)

    def _script(self, name: str, *arguments: str | Path) -> None:
        # Into a file, which the daemons may keep open.
        log = self.folder.parent / f"{self.folder.name}.log"
        with open(log, "a") as output:
            done = subprocess.run(
                [HERE / "cluster" / name, *arguments],
                env=os.environ | self.knobs,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {log.read_text()[-2000:]}")

    def environment(self) -> dict[str, str]:
        """Variables with which SLURM's commands speak to this cluster."""
        return os.environ | {
            "SLURM_CONF": str(self.folder / "etc" / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }

    def ask(self, *command: str) -> str:
        """Output of one of SLURM's commands."""
        return subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def jobs(self, folder: Path) -> list[Job]:
        """All submissions from ``folder``, ended ones too."""
        found = []
        for line in self.ask("scontrol", "show", "job", "--oneliner").splitlines():
            values = dict(re.findall(r"(?:^| )([A-Za-z/:]+)=(\S*)", line))
            if values.get("WorkDir") == str(folder):
                found.append(
                    Job(
                        id=values["JobId"],
                        array=values.get("ArrayJobId", values["JobId"]),
                        state=values["JobState"],
                        what=values.get("Comment", ""),
                        gpus=int((re.search(r"gpu:(\d+)", values.get("TresPerJob", "")) or [0, 0])[1]),
                        start=values["StartTime"],
                        seconds=_seconds(values["RunTime"]),
                        minutes=_seconds(values["TimeLimit"]) // 60,
                        memory=values.get("MinMemoryNode", ""),
                        node=values["NodeList"],
                    )
                )
        return sorted(found, key=lambda job: int(job.id))


def _seconds(text: str) -> int:
    """[days-]hours:minutes:seconds"""
    days, _, clock = text.rpartition("-")
    hours, minutes, seconds = map(int, clock.split(":"))
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


@contextmanager
def started(memory_is_enforced: bool = False) -> Iterator[Cluster]:
    """A cluster for the length of the block."""
    # munged wants its socket where everybody could reach it.
    with tempfile.TemporaryDirectory(prefix="slurm-") as top:
        Path(top).chmod(0o755)
        cluster = Cluster(Path(top) / "cluster", memory_is_enforced)
        try:
            cluster.up()
            yield cluster
        finally:
            cluster.down()


def copy_study(target: Path) -> None:
    """The workflow and the test's study in a folder of its own."""
    copy_workflow(target)
    shutil.copy(ROOT / "tests" / "tiny.yaml", target)
    shutil.copy(HERE / "study.yaml", target)


def snakemake(cluster: Cluster, folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start Snakemake in ``folder`` with the profile for clusters; its output is in ``snakemake.log`` there."""
    return run(cluster, folder, "snakemake", "--profile", "profiles/slurm", *QUICK, *arguments, **environment)


def run(cluster: Cluster, folder: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    """Start a Python module in ``folder``; its output is in ``snakemake.log`` there."""
    with open(folder / "snakemake.log", "a") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=cluster.environment()
            | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT / "tests" / "faults")}
            | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
        )


# Waiting times of the profile are for real clusters.
QUICK = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10")


def finish(run: subprocess.Popen[str], folder: Path) -> None:
    """Wait for a Snakemake to end; raises ``RuntimeError`` if it failed."""
    try:
        returned = run.wait(timeout=600)
    except BaseException:
        run.kill()
        raise
    if returned != 0:
        raise RuntimeError(f"{folder}: {(folder / 'snakemake.log').read_text()[-4000:]}")


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 180) -> None:
    """Wait until ``condition`` holds; raises ``RuntimeError`` if it does not within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.2)

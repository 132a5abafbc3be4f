"""What all benchmarks share: runs that take turns, rows of the table, and a description of the machine.

Times are only compared within one call of ``alternate``: machines are shared, and their speed drifts.
"""

import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers" / "bin"
"""The environment of the peers, whose pins clash with ours (``make bench`` makes it)."""

PACKAGES = ("torch", "transformers", "snakemake", "numpy", "safetensors", "tokenizers")


@dataclass(frozen=True)
class Goal:
    """``of`` is what is bounded: peer / ours ("peer"), ours / limit ("limit"), or ours itself ("ours"), as medians."""

    of: Literal["peer", "limit", "ours"]
    sense: Literal["at least", "at most"]
    bound: float


@dataclass(frozen=True)
class Row:
    """One line of the table: what ``benchmark`` found for ``work``.

    ``ours``, ``peers`` and ``limits`` hold one value per run, in ``unit``, in the order in which they took turns, so
    that ratios are taken within a turn. ``note`` goes below the table.
    """

    benchmark: str
    work: str
    ours: Sequence[float]
    unit: str = "s"
    peer: str = ""
    peers: Sequence[float] = ()
    limit: str = ""
    limits: Sequence[float] = ()
    goals: Sequence[Goal] = ()
    note: str = ""

    def values(self, of: str) -> list[float]:
        """What a goal of ``of`` bounds, one value per run."""
        if of == "ours":
            return list(self.ours)
        if of == "peer":
            return [peer / ours for ours, peer in zip(self.ours, self.peers, strict=True)]
        return [ours / limit for ours, limit in zip(self.ours, self.limits, strict=True)]

    def met(self, goal: Goal) -> bool:
        """Whether the median keeps to the goal."""
        median = statistics.median(self.values(goal.of))
        return median >= goal.bound if goal.sense == "at least" else median <= goal.bound

    def record(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "benchmark": self.benchmark,
            "work": self.work,
            "unit": self.unit,
            "runs": len(self.ours),
            "ours": list(self.ours),
            "peer": self.peer,
            "peers": list(self.peers),
            "limit": self.limit,
            "limits": list(self.limits),
            "goals": [
                {"of": goal.of, "sense": goal.sense, "bound": goal.bound, "met": self.met(goal)} for goal in self.goals
            ],
            "note": self.note,
        }


@dataclass
class Growth:
    """Seconds against a size, for the plot: ``sizes`` and, for each, the seconds of every run."""

    what: str
    size: str
    sizes: list[float] = field(default_factory=list)
    seconds: list[list[float]] = field(default_factory=list)

    def slope(self) -> float:
        """Exponent of the growth: the slope of a straight line through log size and log median seconds."""
        medians = [statistics.median(runs) for runs in self.seconds]
        return float(np.polyfit(np.log(self.sizes), np.log(medians), 1)[0])


def alternate(
    runs: int,
    actions: Mapping[str, Callable[[], object]],
    warmups: int = 1,
    before: Callable[[], object] = lambda: None,
) -> dict[str, list[float]]:
    """Wall seconds of each action: all in turn, ``runs`` times, after ``warmups`` turns that do not count.

    What ``before`` does, before each of them, does not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(warmups + runs):
        for name, action in actions.items():
            before()
            started = time.perf_counter()
            action()
            if turn >= warmups:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def gemm_rate(threads: int, size: int = 2048, repeats: int = 3, precision: str = "fp32", device: str = "cpu") -> float:
    """FLOP/s of a product of two ``size`` x ``size`` matrices with torch: the best of ``repeats``."""
    import torch

    from lm_interpolation.models.dtypes import torch_dtype

    torch.set_num_threads(threads)
    a, b = (torch.rand(size, size, dtype=torch_dtype(precision), device=device) for _ in range(2))
    best = 0.0
    for _ in range(repeats + 1):
        started = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best


def cpu_of_children() -> float:
    """CPU seconds, user and system, of all processes so far that this one, or one of them, has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def forward_flops(config: Any, lengths: Sequence[int]) -> float:
    """FLOPs of one forward pass of a GPT-2 over texts of so many tokens, without padding, logits at all positions.

    Two per weight of a product and token (Kaplan et al. 2020, arXiv 2001.08361, section 2.1): 12 d^2 weights a layer
    and V d of the output layer; and attention, causal, 2 d FLOPs for each pair of positions in either of its products.
    """
    width, layers, vocabulary = config.hidden_size, config.num_hidden_layers, config.vocab_size
    weights = 12 * width**2 * layers + vocabulary * width
    return float(sum(2 * weights * n + layers * 4 * width * n * (n + 1) / 2 for n in lengths))


def in_process(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a command of our Python in the repository; a failure ends the benchmark with its output."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def call(command: Sequence[str | Path]) -> None:
    """Run a command in the repository; a failure ends the benchmark with its output."""
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")


def anonymous_peak(command: Sequence[str | Path]) -> float:
    """Megabytes of anonymous memory that a process holds at most: the peak of RssAnon in /proc, read every 5 ms."""
    peak = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
            # A process that has ended and was not waited for has no memory.
            peak = max([peak, *(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))])
            time.sleep(0.005)
    if process.returncode:
        raise RuntimeError(f"{command}: exit code {process.returncode}")
    return peak * 1024 / 1e6


def touch_memory() -> None:
    """Touch and free as much memory as a merged GPT-2 Large needs, so that whoever comes next finds it the same.

    Where the host takes free memory back, as virtual machines do, the first touch of it costs several times a copy.
    """
    subprocess.run([sys.executable, "-c", f"b'x' * {4 << 30}"], check=True)


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system, versions of packages and git revision."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
        "revision": _revision(),
    }


def _revision() -> str:
    """The commit, with "-dirty" if something is not as committed; the page that the benchmarks write does not count."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, text=True, capture_output=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/benchmarks.*")
    return git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")

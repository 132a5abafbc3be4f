"""How a job uses the machine it runs on. Only scripts that compute with torch import this module."""

import os
import resource
from pathlib import Path

import torch

from lm_interpolation.jobs.allocation import keep_freed_memory
from lm_interpolation.jobs.leases import lease_gpus


def prepare_job(device: str, threads: int, gpus: int) -> None:
    """Get a job ready to compute, before it does anything else: lease ``gpus`` GPUs, and prepare torch.

    Raises what ``lease_gpus`` raises.
    """
    lease_gpus(gpus)
    prepare_torch(threads)
    if device == "cpu":
        bound_memory(available_memory())


def prepare_torch(threads: int) -> None:
    """Let torch and the tokenizers use ``threads`` CPU threads, so that jobs side by side do not fight over cores.

    For processes that a job starts, which see the GPUs that the job has leased. The job itself calls ``prepare_job``.
    The process also keeps memory that torch frees (see ``keep_freed_memory``).
    """
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    keep_freed_memory()


def bound_memory(more: int) -> None:
    """Let allocations fail once this process holds ``more`` bytes more than now.

    A batch that is too large is then computed in smaller ones (``batches.AdaptiveBatches``), or the job ends with an
    error. Without a bound Linux grants more memory than exists, and kills this or another process when it is used.
    """
    held = _entries(Path("/proc/self/status"))["VmData"] * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = held + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def available_memory() -> int:
    """Bytes that the machine (swap included) or this process's control group has left, whichever is less."""
    machine = _entries(Path("/proc/meminfo"))
    available = (machine["MemAvailable"] + machine["SwapFree"]) * 1024
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        # Version 2 has one hierarchy, without names of controllers.
        mount, limit, anonymous = {
            "": ("/sys/fs/cgroup", "memory.max", "anon"),
            "memory": ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "rss"),
        }.get(controllers, ("", "", ""))
        group = Path(mount + path)
        if mount and (group / limit).is_file() and (text := (group / limit).read_text().strip()) != "max":
            available = min(available, int(text) - _entries(group / "memory.stat")[anonymous])
    return available


def _entries(path: Path) -> dict[str, int]:
    """The numbers in a kernel file with lines such as ``MemFree: 123 kB``, in the units of the file."""
    words = (line.replace(":", " ").split() for line in path.read_text().splitlines())
    return {line[0]: int(line[1]) for line in words if len(line) > 1 and line[1].isdigit()}

"""Which GPUs a job has for itself.

Snakemake's resource ``gpu`` only counts. A job leases ids by locks (flock). The system frees them when the process
ends, however it ends, so there is nothing to clean up. Does not import torch: a job leases before it computes.
"""

import contextlib
import ctypes
import fcntl
import math
import os
import re
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lm_interpolation.jobs.runtime import UserError, announce

LOCKS = Path("/tmp", f"lm-interpolation-gpus-{os.getuid()}")
"""Folder of the locks, shared by all runs of a user on a machine. Not below $TMPDIR, which may differ between runs."""

_POLL, _TELL = 1.0, 60.0  # seconds between attempts, and between lines that name the process that it waits for
_CUDA_SUCCESS = 0

# Open lock files; closing one would return its lease.
_leased: list[int] = []


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a MIG instance of one: ``name`` for people, ``id`` for CUDA_VISIBLE_DEVICES (its UUID if known)."""

    name: str
    id: str


@dataclass(frozen=True)
class _Board:
    """A GPU of the machine as nvidia-smi lists it, with the instances that MIG has divided it into."""

    index: str
    model: str
    uuid: str
    instances: list[Gpu] = field(default_factory=list)

    @property
    def units(self) -> list[Gpu]:
        """What a process can have of it."""
        return self.instances or [Gpu(self.index, self.uuid)]


def lease_gpus(count: int, locks: Path = LOCKS) -> None:
    """Give this process ``count`` GPUs for the rest of its life, all at once, and let CUDA see no others.

    Candidates are the GPUs that CUDA_VISIBLE_DEVICES names, or else those of the machine. If all are leased, it
    waits, and says every minute for whom. It sets CUDA_VISIBLE_DEVICES, so call it before CUDA is first used. Child
    processes see the same GPUs and lease none. The log says which GPUs it got. With ``count`` 0 nothing happens.

    In a SLURM job that sees exactly ``count`` GPUs, it takes them as assigned by the scheduler.
    If the job sees more (Snakemake runs within an allocation), it leases among them.

    Raises ``UserError`` if fewer are visible or ``locks`` is not this user's own folder, ``RuntimeError`` if CUDA is in
    use already or the process has leased GPUs before.
    """
    if count == 0:
        return
    if _leased:
        raise RuntimeError("this process has leased GPUs already")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    slurm_job = os.environ.get("SLURM_JOB_ID")
    if slurm_job is not None and visible is not None and len(entries := _entries(visible)) == count:
        announce(f"{_names([Gpu(entry, entry) for entry in entries])} (assigned by SLURM)")
        return
    if _cuda_is_initialised():
        raise RuntimeError("CUDA was initialised before GPUs were leased: it would use others; lease them first")
    candidates = visible_gpus()
    if len(candidates) < count:
        setting = "is not set" if visible is None else f"is {visible!r}"
        raise UserError(
            f"the job needs {count} GPU(s) and sees {len(candidates)} (CUDA_VISIBLE_DEVICES {setting}); let it see "
            "more, lower `processes` of the model if it trains in several, or set device: cpu"
        )
    # A SLURM job may number GPUs in its own way: the same numbers mean other GPUs in another job.
    scope = "" if slurm_job is None or visible is None else f"slurm-{slurm_job}-"
    _make_private(locks)
    files = {gpu: locks / (gpu.id if gpu.id.startswith(("GPU-", "MIG-")) else scope + gpu.id) for gpu in candidates}
    told = -math.inf
    while True:
        gpus, busy = _try_to_lease(files, count, locks / "choosing")
        if gpus:
            break
        if time.monotonic() - told >= _TELL:
            told = time.monotonic()
            # Each process wrote its id into the lock when it leased.
            holders = [f"process {files[gpu].read_text()} has GPU {gpu.name}" for gpu in busy]
            announce(f"waiting for {count} of {_names(candidates)}: {', '.join(holders)}")
        time.sleep(_POLL)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.id for gpu in gpus)
    announce(f"{_names(gpus)} (leased; of {','.join(gpu.name for gpu in candidates)})")


def visible_gpus() -> list[Gpu]:
    """The GPUs that CUDA would show to this process, found without initialising CUDA.

    Follows CUDA's rules for CUDA_VISIBLE_DEVICES (CUDA C++ Programming Guide, "CUDA Environment Variables"): indices,
    UUIDs or unique beginnings of them; an entry that names no GPU hides those after it; one named twice hides all.
    If nvidia-smi is installed, it maps indices to GPUs; instances replace a GPU that MIG has divided.
    Without it, entries are used unchanged, and without CUDA_VISIBLE_DEVICES the driver's files are counted.

    Raises ``UserError`` if nvidia-smi fails, or if indices could mean one GPU to it and another to CUDA.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    boards = _boards()
    if boards is None:
        if visible is None:
            return [Gpu(str(i), str(i)) for i in range(len(list(Path("/proc/driver/nvidia/gpus").glob("*"))))]
        entries = _entries(visible)
        return [Gpu(entry, entry) for entry in entries] if len(set(entries)) == len(entries) else []
    if visible is None:
        return [gpu for board in boards for gpu in board.units]
    entries = _entries(visible)
    if (
        any(entry.isdigit() for entry in entries)
        and len({board.model for board in boards}) > 1
        and os.environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID"
    ):
        raise UserError(
            f"CUDA_VISIBLE_DEVICES={visible}: this machine's GPUs differ, and CUDA's numbers, the fastest first, are "
            "not those of nvidia-smi; set CUDA_DEVICE_ORDER=PCI_BUS_ID, which makes them so, or give UUIDs"
        )
    found: list[Gpu] = []
    for entry in entries:
        named = _named(entry, boards)
        if not named:
            break
        if set(named) & set(found):
            return []
        found.extend(named)
    return found


def _entries(visible: str) -> list[str]:
    """The entries of CUDA_VISIBLE_DEVICES before the first that is neither an index nor a UUID (-1, say)."""
    entries = []
    for entry in map(str.strip, visible.split(",")):
        if re.fullmatch(r"[0-9]+", entry):
            entries.append(str(int(entry)))
        elif entry.startswith(("GPU-", "MIG-")):
            entries.append(entry)
        else:
            break
    return entries


def _named(entry: str, boards: Sequence[_Board]) -> list[Gpu]:
    """What an entry of CUDA_VISIBLE_DEVICES names: a GPU, its instances, or nothing."""
    matches = [board.units for board in boards if board.index == entry or board.uuid.startswith(entry)]
    matches += [[gpu] for board in boards for gpu in board.instances if gpu.id.startswith(entry)]
    return matches[0] if len(matches) == 1 else []


def _boards() -> list[_Board] | None:
    """The machine's GPUs by ascending index; None if nvidia-smi is not installed."""
    try:
        listing = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    if listing.returncode != 0:
        lines = (listing.stdout + listing.stderr).split("\n")
        raise UserError(f"nvidia-smi --list-gpus: {lines[0]}; repair the driver, or set device: cpu")
    boards: list[_Board] = []
    for line in listing.stdout.splitlines():
        if board := re.match(r"GPU (\d+): (.+) \(UUID: (GPU-[^)]+)\)", line):
            boards.append(_Board(board[1], board[2], board[3]))
        elif instance := re.match(r"\s+MIG .*\(UUID: (MIG-[^)]+)\)", line):
            boards[-1].instances.append(Gpu(instance[1], instance[1]))
    return boards


def _cuda_is_initialised() -> bool:
    """Whether CUDA has read CUDA_VISIBLE_DEVICES, which it does once, when the driver is initialised.

    Asks the driver itself, because ``torch.cuda.is_initialized`` is False after ``torch.cuda.is_available``, which
    nevertheless initialises the driver (torch/cuda/__init__.py).
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    # In a process that has not called cuInit this answers CUDA_ERROR_NOT_INITIALIZED.
    return driver.cuDeviceGetCount(ctypes.byref(ctypes.c_int())) == _CUDA_SUCCESS


def _make_private(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise UserError(
            f"{folder}: is not a folder that you alone can use (yours, mode 0700), so that leases of GPUs in it would "
            "prove nothing; remove it, or have its owner remove it"
        )


def _try_to_lease(files: Mapping[Gpu, Path], count: int, mutex: Path) -> tuple[list[Gpu], list[Gpu]]:
    """Lock ``count`` of ``files`` for good, or none. Returns the leased GPUs and those that others hold."""
    # One process chooses at a time: otherwise two could each hold a part of what they need.
    choosing = _open(mutex)
    try:
        fcntl.flock(choosing, fcntl.LOCK_EX)
        locked: dict[Gpu, int] = {}
        busy = []
        for gpu, file in files.items():
            descriptor = _open(file)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                busy.append(gpu)
                continue
            locked[gpu] = descriptor
            if len(locked) == count:
                break
        if len(locked) < count:
            for descriptor in locked.values():
                os.close(descriptor)
            return [], busy
        for descriptor in locked.values():
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        _leased.extend(locked.values())
        return list(locked), busy
    finally:
        os.close(choosing)


def _open(file: Path) -> int:
    # Python closes it on exec: programs that the job starts hold no lease.
    return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)


def _close_leases() -> None:
    while _leased:
        os.close(_leased.pop())


# Forked processes must not keep it either: one that outlives the job would keep the lease. The job still has it.
os.register_at_fork(after_in_child=_close_leases)


def _names(gpus: Sequence[Gpu]) -> str:
    return f"GPU{'' if len(gpus) == 1 else 's'} {','.join(gpu.name for gpu in gpus)}"

"""Write the launcher, and let Snakemake use it."""

import atexit
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SWITCH = "LM_INTERPOLATION_WARM"
"""Environment variable: with 0, each job starts in a new Python."""

_HERE = Path(__file__).parent
_PREFIX = "lm-interpolation-warm-"
_GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd")
# The address of a socket has at most 107 bytes.
_LONGEST_FOLDER = 60


def install(nested: bool = False) -> Path:
    """Write a launcher into a temporary folder of its own; returns its path.

    Its servers keep their sockets there. They start when they are first needed, and end with this process, or with the
    last program if this process was killed. If ``nested``, ``sys.executable`` in its programs is the launcher, too, and
    a process group spans them; numbers of threads are then what they are here. Raises ``OSError`` if there is no room,
    or if programs may not lie there.
    """
    shared = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=shared if len(shared) <= _LONGEST_FOLDER else "/tmp"))
    atexit.register(_remove, folder, os.getpid())
    launcher, program = folder / "python", folder / "launcher.py"
    # Snakemake's has quotes, where its path needs them (study.launch).
    (python,) = shlex.split(sys.executable)
    settings = {
        "python": python,
        "server": str(_HERE / "server.py"),
        "owner": os.getpid(),
        "nested": nested,
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    shutil.copyfile(_HERE / "launcher.py", program)
    # The path of Python may be too long for a first line, or have spaces in it.
    command = shlex.join([python, "-IS", str(program)])
    launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)
    subprocess.run([launcher, "-c", "pass"], check=True)
    return launcher


def _remove(folder: Path, owner: int) -> None:
    # Not by a fork of the owner.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def can_fork() -> bool:
    """Whether jobs on this machine may be forks of one process.

    On Linux alone, where a process may fork after it has imported such packages. Not beside the driver of a GPU: jobs
    are long there, and what CUDA and ROCm do in a fork was not tested.
    """
    return (
        sys.platform == "linux"
        and os.environ.get(SWITCH) != "0"
        and not any(Path(driver).exists() for driver in _GPU_DRIVERS)
    )


def start() -> None:
    """Let ``sys.executable`` be a launcher where that works, so that Snakemake starts its jobs with it.

    Only the time that a job takes to start depends on it.
    """
    (python,) = shlex.split(sys.executable)
    if Path(python).parent.name.startswith(_PREFIX) or not can_fork():
        return
    try:
        sys.executable = shlex.quote(str(install()))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"jobs start slowly, each in a new Python: {error}", file=sys.stderr)

"""Asks a server for a fork (see ``launching.py``, which copies this file). It starts in some milliseconds.

It runs in an isolated Python without site-packages, and without pathlib.
"""

import array
import contextlib
import fcntl
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

# What packages read when they are imported, or Python when it starts: each of their values has a server of its own.
READ_EARLY = (
    "HF_",
    "HUGGINGFACE",
    "TRANSFORMERS",
    "TOKENIZERS",
    "PYTHON",
    "LANG",
    "LC_",
    "MPL",
    "CUDA",
    "HOME",
    "XDG_",
)
THREADS = ("OMP_", "OPENBLAS_", "GOTO_", "MKL_", "NUMEXPR_")
"""Read early, too: Snakemake sets them to the threads of each job."""
PASSED_ON = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")

FOLDER = os.path.dirname(os.path.abspath(sys.argv[0]))


def plain(arguments: list[str], environment: dict[str, str]) -> bool:
    """Whether a fork does what Python would do with these."""
    folders = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    if any(os.path.exists(os.path.join(folder, "sitecustomize.py")) for folder in folders):
        return False
    if arguments[:1] == ["-B"]:
        arguments = arguments[1:]
    return bool(arguments) and (arguments[0] == "-m" or not arguments[0].startswith("-"))


def connect(settings: dict[str, Any], environment: dict[str, str]) -> socket.socket | None:
    """A connection to the server for this environment, which is started if there is none yet; None if it cannot."""
    # Nested programs are in the process group of those that start them, so they have one server, and one session.
    read = READ_EARLY if settings["nested"] else READ_EARLY + THREADS
    early = {name: value for name, value in sorted(environment.items()) if name.startswith(read)}
    for name in PASSED_ON:
        early.pop(name, None)
    name = os.path.join(FOLDER, hashlib.sha256(json.dumps(early).encode()).hexdigest()[:8])
    connection = socket.socket(socket.AF_UNIX)
    with open(f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(f"/proc/{settings['owner']}") or os.path.exists(f"{name}.failed"):
            return None
        if not os.path.exists(name):
            # Its name appears when it listens.
            start = {key: value for key, value in environment.items() if key not in PASSED_ON}
            with open(f"{name}.log", "w") as log:
                server = subprocess.Popen(
                    [settings["python"], settings["server"], name, str(settings["owner"])],
                    cwd=FOLDER,
                    env=start,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            while not os.path.exists(name):
                if server.poll() is not None:
                    # An error on import, for example. If a job needs that package, it says so.
                    os.rename(f"{name}.log", f"{name}.failed")
                    return None
                time.sleep(0.02)
    connection.connect(name)
    return connection


def fork(settings: dict[str, Any], environment: dict[str, str]) -> tuple[socket.socket, int] | None:
    """A connection to the server, and the process that it has forked for this program; None if there is none.

    Raises ``OSError`` if the server was killed, or if there is no room for its files.
    """
    connection = connect(settings, environment)
    if connection is None:
        return None
    asked = {
        "executable": os.path.join(FOLDER, "python") if settings["nested"] else settings["python"],
        "arguments": sys.argv[1:],
        "environment": environment,
        "cwd": os.getcwd(),
        "group": os.getpgrp(),
        "session": os.getsid(0),
    }
    text = json.dumps(asked).encode()
    streams = array.array("i", [0, 1, 2]).tobytes()
    connection.sendmsg([len(text).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    connection.sendall(text)
    child = connection.recv(8, socket.MSG_WAITALL)
    return (connection, int.from_bytes(child, "big")) if child else None


def main() -> None:
    """Run the program in a fork, or else in the real Python; ends as it ends."""
    with open(os.path.join(FOLDER, "settings.json"), encoding="utf-8") as file:
        settings = json.load(file)
    environment = dict(os.environ)
    forked = None
    if plain(sys.argv[1:], environment):
        with contextlib.suppress(OSError):
            forked = fork(settings, environment)
    if forked is None:
        os.execv(settings["python"], [settings["python"], *sys.argv[1:]])
    connection, child = forked
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
        signal.signal(number, lambda number, frame: os.kill(child, number))
    answer = connection.recv(8, socket.MSG_WAITALL)
    if len(answer) < 8:
        sys.exit(f"the process from which this program was forked is gone, see {FOLDER}")
    status = int.from_bytes(answer, "big", signed=True)
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


main()

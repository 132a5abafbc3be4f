# Runs in an isolated Python without site-packages; PYTHON, SERVER, FOLDER and TESTS stand above (see __init__.py).
import array
import fcntl
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

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
PASSED_ON = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


def plain(arguments, environment):
    """Whether a fork does what Python would do with these."""
    folders = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    if any(os.path.exists(os.path.join(folder, "sitecustomize.py")) for folder in folders):
        return False
    if arguments[:1] == ["-B"]:
        arguments = arguments[1:]
    return bool(arguments) and (arguments[0] == "-m" or not arguments[0].startswith("-"))


def connect(environment):
    """A connection to the server for this environment, which is started if there is none yet."""
    early = {name: value for name, value in sorted(environment.items()) if name.startswith(READ_EARLY)}
    for name in PASSED_ON:
        early.pop(name, None)
    name = os.path.join(FOLDER, hashlib.sha256(json.dumps(early).encode()).hexdigest()[:8])
    connection = socket.socket(socket.AF_UNIX)
    with open(f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(f"/proc/{TESTS}"):
            sys.exit(f"the tests, process {TESTS}, are gone")
        if not os.path.exists(name):
            # Its name appears when it listens.
            start = {key: value for key, value in environment.items() if key not in PASSED_ON}
            with open(f"{name}.log", "w") as log:
                server = subprocess.Popen(
                    [PYTHON, SERVER, name, str(TESTS)],
                    cwd=FOLDER,
                    env=start,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            while not os.path.exists(name):
                if server.poll() is not None:
                    sys.exit(f"{SERVER} ended with {server.returncode}, see {name}.log")
                time.sleep(0.02)
    connection.connect(name)
    return connection


def main():
    environment = dict(os.environ)
    if not plain(sys.argv[1:], environment):
        os.execv(PYTHON, [PYTHON, *sys.argv[1:]])
    connection = connect(environment)
    asked = {
        "executable": sys.argv[0],
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
    child = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
        signal.signal(number, lambda number, frame: os.kill(child, number))
    answer = connection.recv(8, socket.MSG_WAITALL)
    if len(answer) < 8:
        sys.exit(f"the server {SERVER} is gone")
    status = int.from_bytes(answer, "big", signed=True)
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


main()

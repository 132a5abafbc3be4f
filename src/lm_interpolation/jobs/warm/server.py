"""Imports the heavy packages, then forks one child for each request (see ``__init__.py``)."""

import array
import atexit
import contextlib
import gc
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
import threading
import types
from pathlib import Path
from typing import Any

import numpy

# Python's own folders and the packages: neither this file's folder nor PYTHONPATH.
PACKAGES = sys.path[1:]


def preload() -> None:
    """Import without computing: a process with threads must not fork."""
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import scipy.optimize
    import scipy.stats  # noqa: F401
    import seaborn  # noqa: F401
    import snakemake.cli  # noqa: F401
    import torch  # noqa: F401

    # transformers imports these when they are asked for.
    from transformers import (  # noqa: F401
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
        GPT2ForSequenceClassification,
        GPT2LMHeadModel,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
        Trainer,
    )

    # OpenBLAS ends its threads before a fork, and starts them again where a process computes.
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    tasks = Path("/proc/self/task")
    # pyarrow's allocator has one, and starts it again after a fork.
    started = {(task / "comm").read_text().strip() for task in tasks.iterdir() if task.name != str(os.getpid())}
    if started - {"jemalloc_bg_thd"}:
        raise RuntimeError(f"imports have started threads: {started}")


def serve(name: str, owner: int) -> dict[str, Any]:
    """Fork for each request; returns in each child alone, with what was asked for.

    Ends with the process ``owner``. If that was killed, what it has started goes on, as elsewhere, to its end.
    """
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{name}.new")
    listening.listen(64)
    Path(f"{name}.new").rename(name)
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    children: dict[int, socket.socket] = {}
    leaders: set[int] = set()
    while children or Path("/proc", str(owner)).exists():
        for key, _ in selector.select(1):
            if key.fileobj is listening:
                connection, _ = listening.accept()
                try:
                    asked, streams = receive(connection)
                except (OSError, ValueError):
                    # The launcher was killed while it asked.
                    connection.close()
                    continue
                child = os.fork()
                if not child:
                    signal.set_wakeup_fd(-1)
                    selector.close()
                    for other in (listening, connection, *children.values()):
                        other.close()
                    os.close(wake)
                    os.close(woken)
                    return asked | {"streams": streams}
                for stream in streams:
                    os.close(stream)
                with contextlib.suppress(BrokenPipeError):
                    connection.sendall(child.to_bytes(8, "big"))
                children[child] = connection
                if asked["session"] != os.getsid(0):
                    leaders.add(child)
                selector.register(connection, selectors.EVENT_READ, child)
            elif key.fileobj == wake:
                os.read(wake, 4096)
            elif key.data in children:
                # Nothing more comes from a launcher: it was killed.
                selector.unregister(key.fileobj)
                children.pop(key.data).close()
                kill = os.killpg if key.data in leaders else os.kill
                kill(key.data, signal.SIGKILL)
        while children and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            child, status = ended
            leaders.discard(child)
            if child in children:
                connection = children.pop(child)
                selector.unregister(connection)
                with contextlib.suppress(BrokenPipeError):
                    connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "big", signed=True))
                connection.close()
    # The owner does so, too, unless it was killed.
    shutil.rmtree(Path(name).parent, ignore_errors=True)
    sys.exit()


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """A request, and the standard streams that came with it."""
    streams = array.array("i")
    head, ancillary, _, _ = connection.recvmsg(8, socket.CMSG_SPACE(3 * streams.itemsize))
    for _, _, data in ancillary:
        streams.frombytes(data)
    text = bytearray()
    length = int.from_bytes(head, "big")
    while len(text) < length:
        if not (more := connection.recv(length - len(text))):
            raise ConnectionError("half a request")
        text += more
    return json.loads(text), streams.tolist()


def become(asked: dict[str, Any]) -> None:
    """Make this process what Python is before it runs anything."""
    # A job belongs to the process group of its Snakemake, if that is a child of this server.
    os.setpgid(0, asked["group"] if asked["session"] == os.getsid(0) else 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(asked["streams"]):
        os.dup2(stream, number)
        os.close(stream)
    # Those of the server may lie on files, in which one can seek, and these on pipes.
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(asked["cwd"])
    environment = asked["environment"]
    os.environ.clear()
    os.environ.update(environment)
    sys.executable = asked["executable"]
    arguments = asked["arguments"]
    sys.dont_write_bytecode = arguments[0] == "-B" or bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    if arguments[0] == "-B":
        arguments = arguments[1:]
    asked["arguments"] = arguments
    first = Path.cwd() if arguments[0] == "-m" else Path(arguments[0]).absolute().parent
    others = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = [str(first), *(str(Path(folder).absolute()) for folder in others), *PACKAGES]
    sys.path_importer_cache.clear()
    # numpy's global generator would be in the same state in all children.
    numpy.random.seed()


def run(arguments: list[str]) -> int:
    """Run a module or a script as Python itself does; returns the exit status."""
    try:
        if arguments[0] == "-m":
            sys.argv = ["-m", *arguments[2:]]
            runpy._run_module_as_main(arguments[1])  # type: ignore[attr-defined]
        else:
            sys.argv = arguments
            main = types.ModuleType("__main__")
            main.__dict__.update({"__file__": sys.argv[0], "__builtins__": __builtins__})
            sys.modules["__main__"] = main
            exec(compile(Path(sys.argv[0]).read_bytes(), sys.argv[0], "exec"), main.__dict__)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


if __name__ == "__main__":
    preload()
    gc.collect()
    gc.freeze()
    request = serve(sys.argv[1], int(sys.argv[2]))
    become(request)
    status = run(request["arguments"])
    # As at the end of Python, but objects stay: to take apart all that was imported takes a third of a second.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

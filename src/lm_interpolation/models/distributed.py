"""Training jobs of language models, in one process or in several that torchrun starts (one per GPU).

A JSON value says what a job trains on and how, so that every process can read it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lm_interpolation.data.corpora import read_corpus_split
from lm_interpolation.data.hub import ShardList
from lm_interpolation.jobs.compute import prepare_torch
from lm_interpolation.jobs.finished import publish
from lm_interpolation.jobs.places import SEARCH_PATH
from lm_interpolation.jobs.runtime import Job, UserError, announce, atomic_path
from lm_interpolation.jobs.training_job import first_texts
from lm_interpolation.models.language_training import run_trial, train_language_model
from lm_interpolation.models.streams import Stream

# A line in the output of a process with this prefix tells the job why the process failed.
_MISTAKE, _FAILURE = "training mistake: ", "training failure: "
# Seconds that torchrun leaves its processes between a SIGTERM and a SIGKILL: enough to save their state. The sender of
# the SIGTERM (SLURM: KillWait, GraceTime) has its own limit.
_GRACE = 600
_PATHS = ("output", "loss_curve", "metrics", "scratch", "start", "tokenizer", "like")


def run_training(job: Job, model: Mapping[str, Any], threads: int, **arguments: Any) -> None:
    """Train the language model ``model``, or run the trial, of a job; ``arguments`` are those of the training.

    With ``processes`` above 1 in the settings, that many train; on ``device: cuda`` each takes one of the GPUs
    that the job sees. They end with the job, however it ends; a SIGTERM makes them save their state first. Raises
    ``UserError`` for a mistake that any of them finds, after a SIGTERM, and if there are too few GPUs.

    Does not train if an earlier run of the job ended well unnoticed (see ``finished``).
    """
    names = ("output", "loss_curve", "metrics")
    outputs: dict[str, Path] = {name: arguments[name] for name in names if name in arguments}
    if publish(arguments["scratch"], outputs):
        return
    inputs = dict(job.input.items())
    processes = arguments["settings"].get("processes", 1)
    parts = {
        "arguments": arguments,
        "class": model["data"].get("class"),
        "limit": model["data"].get("limit"),
        "threads": max(1, threads // processes),
        **{key: inputs.get(key) for key in ("train", "stream", "dev")},
    }
    if processes == 1:
        _train(parts)
    else:
        launch(parts, processes)


def launch(job: Mapping[str, Any], processes: int) -> None:
    """Let ``processes`` processes train together; relay their output to the log, and their progress to the console."""
    arguments = job["arguments"]
    if arguments["device"] == "cuda" and torch.cuda.device_count() < processes:
        raise UserError(
            f"models.{arguments['name']}.training.processes: {processes}, each of which needs a GPU, but the job sees "
            f"{torch.cuda.device_count()} (CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', '')}); give "
            "the job more, or lower processes"
        )
    file = Path(arguments["scratch"]) / "job.json"
    with atomic_path(file) as partial:
        partial.write_text(json.dumps(job, default=os.fspath))
    options = ["--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", str(processes)]
    options += ["--shutdown-timeout", str(_GRACE)]
    command = [sys.executable, "-m", "torch.distributed.run", *options, "-m", __name__, str(file)]
    search_path = os.pathsep.join(filter(None, [str(SEARCH_PATH), os.environ.get("PYTHONPATH")]))
    mistake = failure = None
    terminated = False

    # Not by a signal: torchrun cannot handle a second signal, and may already have one (SLURM signals all processes).
    def pass_on(number: int, frame: object) -> None:
        nonlocal terminated
        terminated = True
        with contextlib.suppress(BrokenPipeError):  # they have all ended
            os.write(stdin, b"!")

    # A byte on their input tells them to end soon; EOF means that the job died.
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | {"PYTHONPATH": search_path},
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        stdin = child.stdin.fileno()
        previous = signal.signal(signal.SIGTERM, pass_on)
        try:
            for line in child.stdout:
                if line.startswith("[train "):
                    announce(line.rstrip("\n"))
                    continue
                print(line, end="", file=sys.stderr, flush=True)
                if line.startswith(_MISTAKE):
                    mistake = mistake or line.removeprefix(_MISTAKE).strip()
                elif line.startswith(_FAILURE):
                    failure = failure or line.removeprefix(_FAILURE).strip()
        finally:
            signal.signal(signal.SIGTERM, previous)
            child.stdin.close()
    if mistake is not None:
        raise UserError(mistake)
    if failure is not None:
        raise RuntimeError(failure)
    if terminated and child.returncode != 0:
        # Before the first step and after the last one they have nothing to save, and die at once.
        signal.raise_signal(signal.SIGTERM)
    if child.returncode != 0:
        raise RuntimeError(f"torchrun ended with status {child.returncode}")


def _train(job: Mapping[str, Any]) -> None:
    """What one process does."""
    arguments = dict(job["arguments"])
    for key in _PATHS:
        if arguments.get(key) is not None:
            arguments[key] = Path(arguments[key])
    if job["stream"] is None:
        texts = read_corpus_split(Path(job["train"]), job["class"])
        arguments["train"] = first_texts(texts, job["limit"], arguments["name"])
    else:
        shards = ShardList.read(job["stream"])
        arguments["train"] = Stream(shards, shards.text)
    arguments["dev"] = read_corpus_split(Path(job["dev"]), job["class"])
    if "checkpoints" in arguments:
        run_trial(**arguments)
    else:
        train_language_model(**arguments)


def _end_with_the_job() -> None:
    """Wait for the end of the input, then end at once: no process of a killed job continues.

    The processes share the input: one of them reads the job's request to end, and all learn of it when they agree.
    """
    while os.read(0, 1):
        os.kill(os.getpid(), signal.SIGTERM)
    os._exit(1)


def _tell(line: str) -> None:
    """Write a line with a single write, so that it stays whole: the other processes write to the same pipe."""
    os.write(sys.stderr.fileno(), f"\n{line}\n".encode())


def _main(file: Path) -> None:
    threading.Thread(target=_end_with_the_job, daemon=True).start()
    job = json.loads(file.read_text())
    prepare_torch(job["threads"])
    try:
        _train(job)
    except UserError as error:
        _tell(f"{_MISTAKE}{error}")
        sys.exit(1)
    except Exception as error:
        traceback.print_exc()
        _tell(f"{_FAILURE}{type(error).__name__}: {error}".splitlines()[0])
        sys.exit(1)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))

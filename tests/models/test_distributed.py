"""Several processes train one model on the CPU; the reference is training in a single process."""

import gzip
import json
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from lm_interpolation.jobs.finished import FINISHED
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.jobs.settings import to_text
from lm_interpolation.jobs.training_job import training_arguments
from lm_interpolation.models import distributed
from lm_interpolation.models.streams import Stream
from tests.by_hand import make_job
from tests.local_shards import LocalShards
from tests.models.test_training import (
    ARCHITECTURE,
    DEV,
    SETTINGS,
    TRAIN,
    curve,
    interrupt,
    metrics,
    outputs,
    sentences,
    train,
    trial,
    weights,
)

ROOT = Path(__file__).parents[2]


def together(count: int, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    """Call ``function`` in forked processes that find each other as under torchrun, but need not import anything."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def rank(number: int) -> None:
        values = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
        os.environ.update({key: str(value) for key, value in values.items()})
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        function(*arguments, **options)
        torch.distributed.destroy_process_group()

    context = multiprocessing.get_context("fork")
    children = [context.Process(target=rank, args=(number,)) for number in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0


def stop_at(step: int, folder: Path, **values: Any) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, step)
        train(folder, **values)


def test_two_processes_train_as_one(tmp_path: Path, tiny_gpt2: Path) -> None:
    # 27 blocks: in the fourth step of an epoch three are left, of which one process has two and the other one. Dev has
    # 9. Without dropout; an epsilon that keeps Adam from making much of rounding.
    texts = TRAIN[:-2]
    values = {
        "start": tiny_gpt2, "train": texts, "batch_size": 8, "steps": 6, "log_steps": 1, "eval_steps": 3,
        "learning_rate": 0.01, "adam_epsilon": 1e-6,
    }  # fmt: skip
    one = train(tmp_path / "one", **values)
    together(2, train, tmp_path / "two", processes=2, micro_batch=2, **values)
    assert metrics(one)["train_tokens"] == 27 * 16
    start = load_file(tiny_gpt2 / "model.safetensors")
    for name, tensor in weights(one).items():
        assert (tensor - start[name]).abs().max() > 0.005, name
        np.testing.assert_allclose(weights(tmp_path / "two")[name], tensor, atol=1e-5, err_msg=name)
    for first, second in zip(curve(one), curve(tmp_path / "two"), strict=True):
        assert {key: first[key] for key in ("step", "split", "learning_rate")} == {
            key: second[key] for key in ("step", "split", "learning_rate")
        }
        assert float(second["loss"]) == pytest.approx(float(first["loss"]), rel=2e-5)
    expected = metrics(one)
    for key in ("dev_loss", "dev_perplexity"):
        expected[key] = pytest.approx(expected[key], rel=1e-5)
    assert metrics(tmp_path / "two") == expected


def test_two_processes_go_on_where_they_stopped(tmp_path: Path, tiny_tokenizer: Path) -> None:
    """In the second epoch, with dropout."""
    values = {"tokenizer": tiny_tokenizer, "processes": 2, "micro_batch": 1, "steps": 15}
    together(2, train, tmp_path / "whole", **values)
    together(2, stop_at, 13, tmp_path / "stopped", **values)
    checkpoint = tmp_path / "stopped/scratch/checkpoint-10"
    assert (checkpoint / "complete").exists() and (checkpoint / "rng_state_1.pth").exists()
    together(2, train, tmp_path / "stopped", **values)
    assert outputs(tmp_path / "stopped") == outputs(tmp_path / "whole")


def test_processes_drop_out_different_units(tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()

    def note(self: Any, *arguments: Any, **options: Any) -> None:
        (seen / os.environ["RANK"]).write_text(str(torch.rand(3).tolist()))
        raise SystemExit(0)

    monkeypatch.setattr("transformers.Trainer.train", note)
    together(2, train, tmp_path / "model", start=tiny_gpt2, processes=2)
    assert (seen / "0").read_text() != (seen / "1").read_text()


def test_a_trial_of_two_processes(tmp_path: Path, tiny_gpt2: Path) -> None:
    values = {"start": tiny_gpt2, "adam_epsilon": 1e-6}
    trial(tmp_path / "one", [2, 5], **values)
    together(2, trial, tmp_path / "two", [2, 5], processes=2, **values)
    for one, two in zip(*(metrics(tmp_path / name)["evaluations"] for name in ("one", "two")), strict=True):
        assert two == {key: pytest.approx(value, rel=1e-5) for key, value in one.items()}
    together(2, trial, tmp_path / "off", [1, 6], processes=2, learning_rate=1e30, max_grad_norm=0.0, start=tiny_gpt2)
    assert metrics(tmp_path / "off")["evaluations"][1] == {"steps": 6, "dev_loss": None, "dev_perplexity": None}


# --- jobs

SHARDS = [[{"text": text} for text in sentences(40, seed=10 + k)] for k in range(3)]
COMMIT = "c" * 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a hub cache that holds three shards, and a dev split."""
    folder = tmp_path_factory.mktemp("job")
    snapshot = folder / "hub" / "datasets--some--corpus" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for k, lines in enumerate(SHARDS):
        data = "".join(json.dumps(line) + "\n" for line in lines)
        (snapshot / f"{k}.json.gz").write_bytes(gzip.compress(data.encode()))
    names = [f"{k}.json.gz" for k in range(3)]
    stream = {"id": "some/corpus", "revision": COMMIT, "files": names, "text": "text"}
    (folder / "stream.json").write_text(json.dumps(stream))
    table = {"row": list(range(len(DEV))), "text": DEV, "label": pa.array([None] * len(DEV), pa.string())}
    pq.write_table(pa.table(table), folder / "dev.parquet")
    (folder / "script.py").touch()
    return folder


def job(folder: Path, tokenizer: Path, device: str = "cpu", **changes: Any) -> tuple[Any, ...]:
    """What a job of two processes is given, each of which takes two parts of a step; with dropout, in bf16.

    The job, what the model is set by, and the arguments of the training.
    """
    training = SETTINGS | {"processes": 2, "precision": "bf16"} | changes
    start = {"architecture": ARCHITECTURE, "tokenizer": "tiny"}
    model = {"task": "language-model", "start": start, "training": training, "data": {"corpus": "web"}}
    inputs = {
        "stream": str(folder / "stream.json"),
        "dev": str(folder / "dev.parquet"),
        "tokenizer": str(tokenizer),
        "source": [str(folder / "script.py")],
    }
    outputs = {"loss_curve": "results/s/loss.csv", "metrics": "results/s/metrics.json"}
    made = make_job(inputs, outputs, to_text(model), model="scratch")
    return made, model, training_arguments(made, model, device, "scratch", training["save_steps"], 1)


def run(folder: Path, tokenizer: Path, **changes: Any) -> None:
    made, model, arguments = job(folder, tokenizer, **changes)
    distributed.run_training(made, model, 2, **arguments, output=Path("results/s/model"))


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def processes_of(scratch: Path) -> set[int]:
    """Processes that name the job's folder in their command line."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(scratch) in path.read_bytes().decode(errors="replace"):
                found.add(int(path.parent.name))
        except OSError:
            pass  # it ended meanwhile
    return found


def wait_for(condition: Callable[[], Any]) -> None:
    # Only to end at all: a busy machine takes minutes to start processes.
    deadline = time.monotonic() + 1200
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def never_ending(folder: Path, here: Path, tokenizer: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """A job in a process of its own that has saved a checkpoint, and its scratch folder, relative to ``here``.

    What it tells is in the file ``errors``.
    """
    code = f"""
import sys
from pathlib import Path
from tests.models.test_distributed import run
from lm_interpolation.jobs.runtime import UserError
try:
    run(Path({str(folder)!r}), Path({str(tokenizer)!r}), steps=10_000_000)
except UserError as error:
    sys.exit(f"error: {{error}}")
"""
    search_path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    with open(here / "errors", "w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": search_path}, stderr=errors
        )
    wait_for(lambda: process.poll() is not None or list(here.glob("results/s/scratch/*/checkpoint-*/complete")))
    assert process.poll() is None, (here / "errors").read_text()
    return process, next(here.glob("results/s/scratch/*")).relative_to(here)


# SIGTERM to the job alone, as `kill` sends it, and to all of its processes at once, as SLURM does.
@pytest.mark.parametrize("fault", ["SIGKILL", "SIGTERM", "SIGTERM to all"])
def test_a_job_that_is_stopped_takes_its_processes_along_and_goes_on_later(
    fault: str, folder: Path, here: Path, tiny_tokenizer: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stopped, relative = never_ending(folder, here, tiny_tokenizer)
    scratch = here / relative
    others = processes_of(relative)
    assert len(others) == 3  # torchrun and two trainings
    signalled = [stopped.pid, *(others if fault == "SIGTERM to all" else [])]
    for process in signalled:
        os.kill(process, signal.SIGKILL if fault == "SIGKILL" else signal.SIGTERM)
    status = stopped.wait()
    wait_for(lambda: not processes_of(relative))
    last = max(int(path.parent.name.split("-")[1]) for path in scratch.glob("*/complete"))
    if fault == "SIGKILL":
        assert status == -signal.SIGKILL
        assert last % SETTINGS["save_steps"] == 0
    else:
        assert status == 1
        assert (here / "errors").read_text().splitlines()[-1] == (
            f"error: models.scratch.training: interrupted at step {last} by SIGTERM; the next run goes on from there"
        )
    capfd.readouterr()

    # Cut short, the same training goes on from there, and ends as one that was never stopped.
    steps = last + 4
    assert sorted(path.name for path in scratch.glob(f"checkpoint-{steps - 4}/stream-*")) == [
        "stream-0.json", "stream-1.json",
    ]  # fmt: skip
    scratch.rename(job(folder, tiny_tokenizer, steps=steps)[2]["scratch"])
    run(folder, tiny_tokenizer, steps=steps)
    shown = capfd.readouterr().err
    assert shown.count("continuing from") == 1
    assert len(re.findall(r"^\[train scratch\] 4/4 steps, .*eval_loss", shown, re.MULTILINE)) == 1
    stream = Stream(
        LocalShards([folder / f"hub/datasets--some--corpus/snapshots/{COMMIT}/{k}.json.gz" for k in range(3)])
    )
    options = {"train": stream, "tokenizer": tiny_tokenizer, "processes": 2, "precision": "bf16", "micro_batch": 1}
    together(2, train, here / "whole", steps=steps, **options)
    for name in ("model/model.safetensors", "loss.csv", "metrics.json"):
        assert (here / "results/s" / name).read_bytes() == (here / "whole" / name).read_bytes(), name

    # Snakemake, were it killed meanwhile, would delete the outputs and start the job again: they are there still.
    (scratch,) = here.glob("results/s/scratch/*")
    assert [path.name for path in scratch.iterdir()] == [FINISHED]
    shutil.rmtree(here / "results/s/model")
    capfd.readouterr()
    run(folder, tiny_tokenizer, steps=steps)
    assert "[train" not in capfd.readouterr().err
    assert (here / "results/s/model/model.safetensors").read_bytes() == (
        here / "whole/model/model.safetensors"
    ).read_bytes()


def test_a_mistake_that_one_process_finds_is_the_jobs(
    folder: Path, here: Path, tiny_tokenizer: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError) as caught:
        run(folder, tiny_tokenizer, block_length=33)
    assert str(caught.value) == (
        "models.scratch.training.block_length: 33 exceeds the model's context of 32 tokens; lower it"
    )
    assert not processes_of(Path("results/s/scratch"))


def test_a_job_of_one_process_needs_no_others(folder: Path, here: Path, tiny_tokenizer: Path) -> None:
    run(folder, tiny_tokenizer, processes=1, steps=3)
    assert metrics(here / "results" / "s")["seen_tokens"] == 3 * 4 * 16


def test_too_few_gpus(folder: Path, here: Path, tiny_tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    message = (
        r"models\.scratch\.training\.processes: 2, .* the job sees 1 \(CUDA_VISIBLE_DEVICES=3\); give the job more"
    )
    with pytest.raises(UserError, match=message):
        run(folder, tiny_tokenizer, device="cuda")

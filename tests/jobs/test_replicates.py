"""Jobs of replicates, with trainings that only write files: what is trained, and what a failure leaves."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lm_interpolation.jobs import compute, records
from lm_interpolation.jobs.finished import forget, keep
from lm_interpolation.jobs.replicates import NamedFiles, of_member
from lm_interpolation.jobs.runtime import Job, UserError
from lm_interpolation.jobs.settings import to_text
from lm_interpolation.models import distributed
from tests.whole.test_workflow import ROOT

TOP = "results/own"
CODE = {"packages": {}, "sources": {"models/train_replicates.py": "0"}}


def member(seed: int) -> dict[str, Any]:
    return {"name": f"films.s{seed}", "model": {"start": {"model": "base"}, "training": {"steps": 1, "seed": seed}}}


def outputs_of(name: str) -> dict[str, str]:
    folder = f"{TOP}/training/{name}"
    return {"model": f"{TOP}/models/{name}", "loss_curve": f"{folder}/loss.csv", "metrics": f"{folder}/metrics.json"}


def settings(*members: dict[str, Any], **code: Any) -> str:
    return to_text({"settings": {"members": list(members)}, **CODE, **code})


def family_job(*members: dict[str, Any]) -> Job:
    receipt = NamedFiles({"receipt": f"{TOP}/training/films/replicates.txt"})
    inputs = NamedFiles({"train": "train.txt"})
    log = f"{TOP}/logs/training/films/replicates.log"
    wildcards: Any = Wildcards()
    return Job("train_replicates", inputs, Receipt(receipt[0]), wildcards, log, settings(*members))


def member_job(one: dict[str, Any]) -> Job:
    name = one["name"]
    inputs = NamedFiles({"train": "train.txt", "family": f"{TOP}/training/films/replicates.txt"})
    return Job(
        "take_replicate", inputs, Results(outputs_of(name)), Wildcards(), f"{TOP}/logs/models/{name}.log", settings(one)
    )


class Wildcards:
    family = "films"


class Receipt(list[str]):
    def __init__(self, path: str) -> None:
        super().__init__([path])


class Results(NamedFiles):
    def __len__(self) -> int:
        return 3


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.chdir(tmp_path)
    Path("train.txt").write_text("texts")
    path = ROOT / "workflow" / "scripts" / "models" / "train_replicates.py"
    spec = importlib.util.spec_from_file_location("train_replicates", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(compute, "prepare_job", lambda *arguments: None)
    yield module


class Trainings:
    """Writes the seed into each result, and fails for the seeds ``broken``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *broken: int) -> None:
        self.seeds: list[int] = []
        self.broken = broken
        monkeypatch.setattr(distributed, "run_training", self.run)

    def run(self, job: Job, model: dict[str, Any], threads: int, **arguments: Any) -> None:
        seed = arguments["settings"]["seed"]
        self.seeds.append(seed)
        if seed in self.broken:
            raise UserError("diverged")
        results = {name: arguments[name] for name in ("output", "loss_curve", "metrics")}
        for name, path in results.items():
            file = path / "model.safetensors" if name == "output" else path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{name} {seed}")
        keep(arguments["scratch"], results)


def run(script: ModuleType, job: Job, *members: dict[str, Any]) -> None:
    outputs = {one["name"]: outputs_of(one["name"]) for one in members}
    script.main(job, "cpu", 1, 0, 5, None, outputs, members=list(members))


def take(script: ModuleType, one: dict[str, Any]) -> None:
    """The job of a replicate with its record, as ``run_job`` runs it."""
    job = member_job(one)
    inputs = records.read_inputs(list(job.input), TOP)
    run(script, job, one)
    records.write_records(list(job.output), TOP, job.rule, json.loads(job.settings), inputs, job.log)


def test_a_family_leaves_what_its_replicates_take(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = Trainings(monkeypatch)
    run(script, family_job(member(0), member(1)), member(0), member(1))
    assert trainings.seeds == [0, 1]
    assert Path(TOP, "training/films/replicates.txt").read_text() == "The replicates of films are trained.\n"
    assert not Path(TOP, "models").exists()
    take(script, member(0))
    take(script, member(1))
    assert trainings.seeds == [0, 1]
    assert Path(TOP, "models/films.s1/model.safetensors").read_text() == "output 1"
    assert Path(TOP, "training/films.s0/loss.csv").read_text() == "loss_curve 0"


def test_a_failure_loses_nothing(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    three = [member(seed) for seed in (0, 1, 2)]
    first = Trainings(monkeypatch, 1)
    with pytest.raises(UserError, match="diverged"):
        run(script, family_job(*three), *three)
    assert first.seeds == [0, 1] and not Path(TOP, "training/films/replicates.txt").exists()
    second = Trainings(monkeypatch)
    run(script, family_job(*three), *three)
    assert second.seeds == [1, 2]


def test_a_seed_that_is_added_trains_that_seed_only(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    Trainings(monkeypatch)
    run(script, family_job(member(0)), member(0))
    take(script, member(0))
    # As after a complete run: only the results and their records are left.
    forget(Path(TOP, "scratch"))
    added = Trainings(monkeypatch)
    run(script, family_job(member(0), member(1)), member(0), member(1))
    assert added.seeds == [1]


@pytest.mark.parametrize("change", ["settings", "input", "output", "record"])
def test_results_of_anything_else_do_not_count(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    one = member(0)
    Trainings(monkeypatch)
    run(script, family_job(one), one)
    take(script, one)
    forget(Path(TOP, "scratch"))
    if change == "settings":
        one["model"]["training"]["steps"] = 2
    elif change == "input":
        Path("train.txt").write_text("other texts")
    elif change == "output":
        Path(TOP, "training/films.s0/metrics.json").unlink()
    else:
        records.record_path(TOP, f"{TOP}/models/films.s0").write_text("{}")
    again = Trainings(monkeypatch)
    run(script, family_job(one), one)
    assert again.seeds == [0]


def test_a_replicate_whose_results_are_gone_is_trained_alone(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = Trainings(monkeypatch)
    Path(TOP, "training/films").mkdir(parents=True)
    Path(TOP, "training/films/replicates.txt").write_text("The replicates of films are trained.\n")
    take(script, member(4))
    assert trainings.seeds == [4]
    assert Path(TOP, "models/films.s4/model.safetensors").read_text() == "output 4"


def test_family_and_replicate_mean_the_same_job(script: ModuleType) -> None:
    one, outputs = member(0), outputs_of("films.s0")
    alone, together = (of_member(job, one, outputs) for job in (member_job(one), family_job(member(3), one)))
    assert alone.settings == together.settings == settings(one)
    assert list(alone.input) == list(together.input) == ["train.txt"]
    assert alone.top == together.top == TOP

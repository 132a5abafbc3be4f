"""Jobs of replicates, with trainings that only write files: what is trained, and what a failure leaves."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lm_interpolation.jobs import compute
from lm_interpolation.jobs.finished import forget, keep
from lm_interpolation.jobs.replicates import NamedFiles, of_member
from lm_interpolation.jobs.runtime import Job, UserError
from lm_interpolation.jobs.settings import arguments_of, to_text
from lm_interpolation.models import distributed
from tests.whole.test_workflow import ROOT

TOP = "results/own"
CODE = {"packages": {}, "sources": {"models/train_replicates.py": "0"}}


MODEL = {"task": "language-model", "start": {"model": "base"}, "training": {"seed": 0, "steps": 1}}


def outputs_of(name: str) -> dict[str, str]:
    folder = f"{TOP}/training/{name}"
    return {"model": f"{TOP}/models/{name}", "loss_curve": f"{folder}/loss.csv", "metrics": f"{folder}/metrics.json"}


def settings(seed: int | None) -> str:
    training = {"steps": 1} if seed is None else {"seed": seed, "steps": 1}
    return to_text({"settings": {"model": {**MODEL, "training": training}}, **CODE})


def family_job() -> Job:
    inputs, log = NamedFiles({"train": "train.txt"}), f"{TOP}/logs/training/films/replicates.log"
    output = [f"{TOP}/training/films/replicates.txt"]
    return Job("train_replicates", inputs, output, Wildcards(), log, settings(None))


def member_job(seed: int) -> Job:
    name = f"films.s{seed}"
    inputs = NamedFiles({"train": "train.txt", "family": f"{TOP}/training/films/replicates.txt"})
    results = Results(outputs_of(name))
    return Job("take_replicate", inputs, results, Wildcards(), f"{TOP}/logs/models/{name}.log", settings(seed))


class Wildcards:
    family = "films"


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


def run(script: ModuleType, job: Job, *seeds: int) -> None:
    names = {f"films.s{seed}": seed for seed in seeds}
    outputs = {name: outputs_of(name) for name in names}
    script.main(job, "cpu", 1, 0, 5, None, names, outputs, **arguments_of(job.settings))


def test_a_family_leaves_what_its_replicates_take(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = Trainings(monkeypatch)
    run(script, family_job(), 0, 1)
    assert trainings.seeds == [0, 1]
    assert Path(TOP, "training/films/replicates.txt").read_text() == "The replicates of films are trained.\n"
    assert not Path(TOP, "models").exists()
    for seed in (0, 1):
        run(script, member_job(seed), seed)
    assert trainings.seeds == [0, 1]
    assert Path(TOP, "models/films.s1/model.safetensors").read_text() == "output 1"
    assert Path(TOP, "training/films.s0/loss.csv").read_text() == "loss_curve 0"


def test_a_failure_loses_nothing(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Trainings(monkeypatch, 1)
    with pytest.raises(UserError, match="diverged"):
        run(script, family_job(), 0, 1, 2)
    assert first.seeds == [0, 1] and not Path(TOP, "training/films/replicates.txt").exists()
    second = Trainings(monkeypatch)
    run(script, family_job(), 0, 1, 2)
    assert second.seeds == [1, 2]


def test_what_an_earlier_run_left_is_of_these_inputs(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    Trainings(monkeypatch)
    run(script, family_job(), 0)
    Path("train.txt").write_text("other texts")
    again = Trainings(monkeypatch)
    run(script, family_job(), 0)
    assert again.seeds == [0]


def test_a_replicate_that_the_family_lacks_is_trained_alone(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = Trainings(monkeypatch)
    run(script, family_job(), 0)
    run(script, member_job(4), 4)
    assert trainings.seeds == [0, 4]
    assert Path(TOP, "models/films.s4/model.safetensors").read_text() == "output 4"
    # As after a run of the whole study.
    forget(Path(TOP, "scratch"))
    run(script, member_job(0), 0)
    assert trainings.seeds == [0, 4, 0]


def test_damaged_results_are_made_again(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = Trainings(monkeypatch)
    run(script, family_job(), 0)
    (kept,) = Path(TOP, "scratch").glob("films.s0-*/finished/metrics")
    kept.write_text("half")
    run(script, member_job(0), 0)
    assert trainings.seeds == [0, 0]
    assert Path(TOP, "training/films.s0/metrics.json").read_text() == "metrics 0"


def test_family_and_replicate_mean_the_same_job() -> None:
    outputs = outputs_of("films.s7")
    alone, together = (of_member(job, "films.s7", 7, outputs) for job in (member_job(7), family_job()))
    assert alone.settings == together.settings == settings(7)
    assert list(alone.input) == list(together.input) == ["train.txt"]
    assert alone.top == together.top == TOP

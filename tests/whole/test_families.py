"""A family of replicates, trained by Snakemake in one job: what a seed more or less trains, and what is lost."""

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.whole.test_workflow import ROOT, all_planned, copy_sources, finish

pytestmark = [pytest.mark.slow, pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

TINY = yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8"))
# With dropout and an order of its own, two seeds differ.
SHORT = {**TINY["models"]["base"]["training"], "steps": 4, "save_steps": 2}
FILMS = {
    "task": "language-model",
    "start": {"model": "base"},
    "data": {"corpus": "reviews", "class": "positive"},
    "training": SHORT,
}


def write(folder: Path, *seeds: int, **changes: Any) -> None:
    """A study of a family, of a model that is trained alone with seed 1, and of the mean of the family."""
    base = {**TINY["models"]["base"], "training": SHORT}
    models = {
        "base": base,
        "films": {**FILMS, "replicates": list(seeds), **changes},
        "alone": {**FILMS, "training": {**SHORT, "seed": 1}},
        "centre": {"task": "language-model", "start": {"mean": ["films"]}},
    }
    corpora = {name: TINY["corpora"][name] for name in ("general", "reviews")}
    config = {"study": "tiny", "corpora": corpora, "tokenizers": TINY["tokenizers"], "models": models}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def planned(folder: Path) -> dict[str, int]:
    jobs = all_planned(folder)
    for rule in ("summary", "overview"):
        jobs.pop(rule, None)
    return jobs


def outputs(folder: Path, model: str) -> dict[str, str]:
    """Digests of the results of a training."""
    top = folder / "results" / "tiny"
    files = [*(top / "models" / model).iterdir(), *(top / "training" / model).iterdir()]
    wanted = [path for path in files if path.name != ".snakemake_timestamp"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in wanted}


def log(folder: Path) -> str:
    return (folder / "results" / "tiny" / "logs" / "training" / "films" / "replicates.log").read_text()


def trained(folder: Path) -> set[str]:
    """The replicates that the last job of the family trained."""
    return set(re.findall(r"^\[train ([\w.]+)\] \d+/\d+ steps", log(folder), re.MULTILINE))


@pytest.mark.quick
def test_a_family_trains_in_one_job_and_a_new_seed_alone(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    write(tmp_path, 0, 1)
    plan = planned(tmp_path)
    assert (plan["train_replicates"], plan["take_replicate"], plan["train_language_model"]) == (1, 2, 1)
    finish(tmp_path)
    assert trained(tmp_path) == {"films.s0", "films.s1"}
    assert planned(tmp_path) == {}
    first = {name: outputs(tmp_path, name) for name in ("films.s0", "films.s1")}
    assert first["films.s1"] == outputs(tmp_path, "alone")
    assert first["films.s0"]["model.safetensors"] != first["films.s1"]["model.safetensors"]
    # The study is complete, so what the family left is forgotten.
    assert not list((tmp_path / "results" / "tiny" / "scratch").glob("films*"))
    taken = (tmp_path / "results" / "tiny" / "logs" / "models" / "films.s1.log").read_text()
    assert "[train films.s1]" not in taken
    models = tmp_path / "results" / "tiny" / "models"
    times = {name: (models / name / "model.safetensors").stat().st_mtime_ns for name in first}

    # A new seed trains alone, and leaves the others untouched.
    write(tmp_path, 0, 1, 2)
    assert planned(tmp_path) == {"take_replicate": 1, "mean_of_models": 1}
    finish(tmp_path)
    own = tmp_path / "results" / "tiny" / "logs" / "models" / "films.s2.log"
    assert "[train films.s2] 4/4 steps" in own.read_text()
    assert {name: (models / name / "model.safetensors").stat().st_mtime_ns for name in first} == times

    write(tmp_path, 2, 1)
    assert planned(tmp_path) == {"mean_of_models": 1}

    # One that is deleted is trained again, and only that.
    shutil.rmtree(models / "films.s1")
    assert planned(tmp_path) == {"take_replicate": 1, "mean_of_models": 1}
    finish(tmp_path)
    assert outputs(tmp_path, "films.s1") == first["films.s1"]
    assert planned(tmp_path) == {}

    # What concerns all of them starts the family again.
    write(tmp_path, 2, 1, training={**SHORT, "learning_rate": 0.001})
    assert planned(tmp_path) == {"train_replicates": 1, "take_replicate": 2, "mean_of_models": 1}

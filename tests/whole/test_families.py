"""A family of replicates, trained by Snakemake in one job: what a seed more or less trains, and what is lost.

And a study of families: a figure and claims over trainings, and what is there of each training.
"""

import copy
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file

from lm_interpolation.commands import export, steer
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


def test_a_family_of_classifiers(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    judge = {"task": "classifier", "start": {"model": "base"}, "data": {"corpus": "reviews"}}
    training = {**SHORT, "block_length": 64}
    models = {
        "base": {**TINY["models"]["base"], "training": SHORT},
        "judges": {**judge, "training": training, "replicates": [0, 1]},
        "alone": {**judge, "training": {**training, "seed": 1}},
    }
    corpora = {name: TINY["corpora"][name] for name in ("general", "reviews")}
    config = {"study": "tiny", "corpora": corpora, "tokenizers": TINY["tokenizers"], "models": models}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    plan = planned(tmp_path)
    assert (plan["train_replicates"], plan["take_replicate"], plan["train_classifier"]) == (1, 2, 1)
    finish(tmp_path)
    assert outputs(tmp_path, "judges.s1") == outputs(tmp_path, "alone")
    assert outputs(tmp_path, "judges.s0")["model.safetensors"] != outputs(tmp_path, "alone")["model.safetensors"]
    metrics = tmp_path / "results" / "tiny" / "training" / "judges.s1" / "metrics.json"
    assert json.loads(metrics.read_text())["test"]["texts"] > 0
    assert planned(tmp_path) == {}


def trainings_config(seeds: list[int]) -> dict[str, Any]:
    """A study of a line between two families, with a figure and claims on it and on losses along it."""
    config: dict[str, Any] = copy.deepcopy(TINY)
    for name in ("positive", "negative"):
        config["models"][name] |= {"replicates": seeds, "training": SHORT}
    config["models"]["base"]["training"] = SHORT
    texts = [
        "The film was",
        "The plot was",
        "Overall,",
        "I thought the",
        "The cast",
        "The end",
        "The food",
        "The hotel",
    ]
    config["prompts"]["neutral"]["texts"] = texts
    config["scorers"] = {name: config["scorers"][name] for name in ("sentiment", "perplexity")}
    del config["models"]["grammar-judge"], config["corpora"]["grammar"], config["searches"]
    config["sweeps"] = {"theta1": config["sweeps"]["theta1"] | {"label": "θ₁"}}
    threshold = {"threshold": 10, "reason": "For a test."}
    config["claims"] = {
        "texts": {"test": "barrier", "sweep": "theta1", "prompts": "neutral", "scorer": "perplexity", **threshold},
        "loss": {"test": "loss_barrier", "analysis": "losses", "class": "positive", **threshold},
        "alone": {"test": "loss_barrier", "analysis": "losses.s0", "class": "positive", **threshold},
    }
    config["figures"] = {"lines": {**config["figures"]["fig3"], "sweeps": ["theta1"]}}
    config["quick"] = ["lines"]
    return config


def test_claims_and_figures_over_trainings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_sources(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(trainings_config([0, 1, 2]), sort_keys=False))
    finish(tmp_path)
    top = tmp_path / "results" / "tiny"
    claims = {entry["name"]: entry for entry in json.loads((top / "claims.json").read_text())}
    assert list(claims) == ["texts", "loss", "alone"]
    for name in ("texts", "loss"):
        entry = claims[name]
        values = [one["value"] for one in entry["trainings"]]
        assert entry["value"] == pytest.approx(sum(values) / 3, rel=1e-4, abs=1e-6)
        assert (entry["verdict"], entry["units"], entry["unit_kind"]) == ("holds", 3, "trainings")
        assert [one["seed"] for one in entry["trainings"]] == ["0", "1", "2"]
    assert claims["alone"]["trainings"] == [] and claims["alone"]["value"] == claims["loss"]["trainings"][0]["value"]
    page = (top / "claims.md").read_text()
    assert "| 3 trainings, 8 prompts |" in page and "| 10 texts; one training |" in page
    # Tables, texts and the explorer are of each training.
    assert not (top / "tables" / "theta1.csv").exists()
    tables = [pd.read_csv(top / "tables" / f"theta1.s{seed}.csv") for seed in (0, 1, 2)]
    assert not tables[0]["estimate"].equals(tables[1]["estimate"])
    assert (top / "figures" / "lines.png").read_bytes().startswith(b"\x89PNG")
    text = (top / "figures" / "lines.md").read_text()
    assert "along θ₁ (mean of 3 trainings)" in text and "- theta1: the mean of 3 trainings that differ" in text
    assert text.count("theta1.s1.csv") == 1
    for page in ("explorer.html", "explorer-quick.html"):
        if (top / page).exists():
            assert all(f"theta1.s{seed}" in (top / page).read_text() for seed in (0, 1, 2))
    monkeypatch.chdir(tmp_path)
    asked = ["--config", "tiny.yaml", "--sweep", "theta1.s1", "--point", "alpha=0.5"]
    steer.main([*asked, "--prompt", "The film was", "--samples", "1", "--json"])
    assert "negative.s1" in capsys.readouterr().out
    export.main([*asked, "--to", "middle"])
    mixed, *ends = (
        load_file(folder / "model.safetensors")
        for folder in (tmp_path / "middle", top / "models" / "positive.s1", top / "models" / "negative.s1")
    )
    name = next(name for name in mixed if name.endswith("mlp.c_fc.weight"))
    assert mixed[name] == pytest.approx((ends[0][name] + ends[1][name]) / 2, abs=1e-7)
    assert planned(tmp_path) == {}

    # A fourth seed adds its own and what is over trainings; nothing else runs again.
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(trainings_config([0, 1, 2, 3]), sort_keys=False))
    jobs = planned(tmp_path)
    assert {rule: jobs[rule] for rule in ("take_replicate", "table", "verdicts", "draw_figure")} == {
        "take_replicate": 2,
        "table": 1,
        "verdicts": 1,
        "draw_figure": 1,
    }
    assert jobs.get("train_replicates", 0) == 0

"""Regions of a tiny study, end to end: families, the points between them, figures, verdicts, and a linear probe."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.whole.test_workflow import ROOT, all_planned, copy_sources, finish

pytestmark = [pytest.mark.slow, pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

TINY = yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8"))
SHORT = {**TINY["models"]["base"]["training"], "steps": 4, "save_steps": 2}


def study() -> dict[str, Any]:
    """Two seeds of three data sets of two tasks, and two judges of one corpus, whose heads are left out."""

    def family(**data: str) -> dict[str, Any]:
        tuned = {"task": "language-model", "start": {"model": "base"}, "data": data, "replicates": [0, 1]}
        return tuned | {"training": {**SHORT, "learning_rate": 0.01}}

    judge = {"task": "classifier", "start": {"model": "base"}, "data": {"corpus": "reviews"}}
    models = {
        "base": {**TINY["models"]["base"], "training": SHORT},
        "good": family(corpus="reviews", **{"class": "positive"}),
        "bad": family(corpus="reviews", **{"class": "negative"}),
        "rules": family(corpus="grammar"),
        "judge": {**judge, "training": {**SHORT, "block_length": 64}},
        "critic": {**judge, "training": {**SHORT, "block_length": 64, "seed": 1}},
    }
    sets = {
        name: {"models": [name], "labels": {"data": name, "task": task}, "corpus": corpus}
        for name, task, corpus in (
            ("good", "sentiment", {"corpus": "reviews", "class": "positive"}),
            ("bad", "sentiment", {"corpus": "reviews", "class": "negative"}),
            ("rules", "grammar", {"corpus": "grammar"}),
        )
    }
    sets["all"] = {"sets": ["good", "bad", "rules"]}
    sets["judges"] = {"models": ["judge", "critic"], "corpus": {"corpus": "reviews"}}
    region = {"kind": "region", "base": "base", "sets": ["all"], "limit": 8}
    analyses = {
        "by-data": {**region, "by": "data"},
        "by-task": {**region, "by": "task"},
        "everything": region,
        "probed": {**region, "sets": ["judges"], "loss": "probe", "train_limit": 60},
        "paths": {"kind": "traverse", "sets": ["all"], "by": "task", "per_level": 2, "limit": 4},
    }
    claim = {"test": "region", "analysis": "by-data", "threshold": 0.5, "reason": "For a test."}
    return {
        "study": "tiny",
        "corpora": TINY["corpora"],
        "tokenizers": TINY["tokenizers"],
        "models": models,
        "sets": sets,
        "analyses": analyses,
        "tables": {"resamples": 100},
        "figures": {
            "regions": {"kind": "region", "analyses": ["by-data", "by-task", "everything"]},
            "ways": {"kind": "traverse", "analysis": "paths"},
        },
        "claims": {
            "better-than-outside": {**claim, "compare": "in'-ex"},
            "better-than-models": {**claim, "compare": "in'-in"},
        },
        "compute": TINY["compute"],
    }


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regions")
    copy_sources(folder)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(study(), sort_keys=False))
    finish(folder)
    assert all_planned(folder) == {}
    return folder / "results" / "tiny"


def test_points_of_all_kinds_are_measured(top: Path) -> None:
    table = pd.read_csv(top / "tables" / "by-data.csv")
    counts = table.groupby(["data", "kind"]).size()
    assert counts["good"].to_dict() == {"base": 1, "in": 2, "in'": 2, "ex": 4}
    assert set(table["group"]) == {"good", "bad", "rules"} and (table["n_texts"] == 8).all()
    # Fine-tuning helps on what was learnt.
    losses = table[table["data"] == "good"].groupby("kind")["loss"].mean()
    assert losses["in"] < losses["base"]
    task = pd.read_csv(top / "tables" / "by-task.csv")
    assert set(task.loc[(task["data"] == "good") & (task["kind"] == "in"), "point"]) == {"bad.s0", "bad.s1"}
    everything = pd.read_csv(top / "tables" / "everything.csv")
    assert set(everything["group"]) == {"general"} and "random 5" in set(everything["point"])
    # The same models on the same texts, in whichever analysis.
    both = [one[one["kind"] == "base"].set_index("data")["loss"] for one in (table, everything)]
    assert both[0].to_dict() == both[1].to_dict()


def test_bodies_of_judges_are_probed(top: Path) -> None:
    table = pd.read_csv(top / "tables" / "probed.csv")
    assert table["kind"].tolist() == ["base", "in", "in", "in'", "in'", "ex", "ex"]
    assert table["loss"].between(0, 5).all() and table["loss"].nunique() == len(table)


def test_figures_and_verdicts_rest_on_the_tables(top: Path) -> None:
    for name in ("regions", "ways"):
        assert (top / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    told = (top / "figures" / "regions.md").read_text()
    assert "Groups by data (6 models, 3 groups, 3 data sets)" in told and "All models (6 models, 1 group" in told
    assert "Half-way between models of the same data set (2 pairs)" in (top / "figures" / "ways.md").read_text()
    pooled = pd.read_csv(top / "tables" / "by-data_pb.csv").set_index(["group", "pair"])["pb"]
    verdicts = {entry["name"]: entry for entry in json.loads((top / "claims.json").read_text())}
    for name, pair in (("better-than-outside", "in'-ex"), ("better-than-models", "in'-in")):
        assert verdicts[name]["value"] == pytest.approx(pooled["all groups", pair], rel=1e-5)
        assert (verdicts[name]["units"], verdicts[name]["unit_kind"]) == (6, "models")
        # Of so few models there is no verdict.
        assert verdicts[name]["verdict"] == "undecided"


def test_texts_that_models_learnt_are_no_test_of_them(top: Path) -> None:
    found = json.loads((top / "leaks.json").read_text())
    lines = [entry["line"] for entry in found["comparisons"] if entry["kind"] == "loss"]
    for name, corpus in (("by-data", "grammar"), ("paths", "reviews"), ("probed", "reviews")):
        assert any(f"{name} measures ({corpus}, test)" in line for line in lines), name

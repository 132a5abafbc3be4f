"""config/regions.yaml, complete and offline: every job of the study of the second paper, on a hub cache made by hand.

Only numbers and the place of the lock file are overridden. The bodies of the hub's models are planted so that those of
one data set and of one task lie together; nothing else of the results means anything.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from safetensors import safe_open

from lm_interpolation.claims.vocabulary import VERDICTS
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study
from tests.hub_cache import commit_of, make_regions_cache
from tests.offline import check_overrides, run_offline
from tests.whole.test_workflow import ROOT, copy_sources

pytestmark = [pytest.mark.slow, pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

FILE = ROOT / "config" / "regions.yaml"
PAPER = yaml.safe_load(FILE.read_text(encoding="utf-8"))
TRAINED = [name for name, model in PAPER["models"].items() if "training" in model]
SHORT = {
    "batch_size": 4,
    "steps": 2,
    "block_length": 16,
    "warmup_steps": 1,
    "log_steps": 1,
    "eval_steps": 2,
    "save_steps": 2,
    "precision": "fp32",
}


def overrides() -> dict[str, Any]:
    corpora: dict[str, Any] = {}
    for name, corpus in PAPER["corpora"].items():
        if "split_from" in corpus:
            # Some texts of each class.
            many = len(PAPER["corpora"][corpus["split_from"]]["classes"]) > 5
            corpora[name] = {"limit": {"train": 200, "test": 150} if many else {"train": 60, "test": 40}}
        elif corpus.get("fractions"):
            corpora[name] = {"fractions": {"dev": 0.3}}
    return {
        "device": "cpu",
        "hub_lock": "regions.lock.yaml",
        "corpora": corpora,
        "models": {name: {"training": SHORT, "replicates": [0, 1]} for name in TRAINED},
        "analyses": {"hub-lines": {"per_level": 1}, "lines": {"per_level": 1}},
        "tables": {"resamples": 100},
        "compute": {
            "threads": {"train": 1, "generate": 1, "score": 1},
            "batch_size": {"generate": 16, "score": 64, "train": 4},
        },
    }


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_offline(folder, ["config/regions.yaml", "overrides.yaml"], *arguments)


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the study, in a folder with the sources and the hub cache in hf/."""
    folder = tmp_path_factory.mktemp("regions")
    copy_sources(folder)
    (folder / "config").mkdir()
    shutil.copy(FILE, folder / "config")
    (folder / "overrides.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(overrides()))))
    make_regions_cache(folder / "hf", Study(read_study([FILE])).config)
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert "left out (" not in done.stderr
    return folder / "results" / "regions"


def test_overrides_replace_what_the_study_has() -> None:
    check_overrides(overrides(), PAPER)


def test_heads_are_dropped(top: Path) -> None:
    for model in ("base", "stsb-textattack", "mnli-jeremiahz"):
        with safe_open(top / "models" / model / "model.safetensors", "np") as weights:
            names = set(weights.keys())
        assert "encoder.layer.0.attention.self.query.weight" in names
        assert not [name for name in names if "head" in name or "classifier" in name]
    with safe_open(top / "models" / "mnli.s1" / "model.safetensors", "np") as weights:
        assert "classifier.out_proj.weight" in set(weights.keys())


def test_what_is_planted_is_found(top: Path) -> None:
    tables = {name: pd.read_csv(top / "tables" / f"{name}_clusters.csv") for name in ("hub-clusters", "hub-tasks")}
    for name, label, clusters, models in (("hub-clusters", "data", 17, 36), ("hub-tasks", "task", 3, 28)):
        row = tables[name].set_index("measure").loc["cosine"]
        assert (row["label"], row["clusters"], row["models"]) == (label, clusters, models)
        assert row["accuracy"] == 1
        # Nothing is left to leave out.
        assert pd.isna(row["left_out"])
    own = pd.read_csv(top / "tables" / "clusters_clusters.csv")
    assert set(own["models"]) == {24}
    assert set(own["left_out"].str.split()[0]) == {
        f"classifier.{part}.{kind}" for part in ("dense", "out_proj") for kind in ("weight", "bias")
    }


def test_points_of_both_blocks_are_measured(top: Path) -> None:
    for name, models, data, texts in (("hub-general", 31, 13, {40}), ("general", 24, 12, {40, 150})):
        table = pd.read_csv(top / "tables" / f"{name}.csv", keep_default_na=False)
        inside = table[table["kind"] == "in"]
        assert inside["point"].nunique() == models and table["data"].nunique() == data
        assert set(table["kind"]) == {"base", "in", "in'", "ex"} and set(table["n_texts"]) == texts
        assert table["loss"].astype(float).between(0, 20).all()
    levels = set(pd.read_csv(top / "tables" / "hub-lines.csv")["level"])
    assert levels == {"same data", "same task", "different", "origin", "random"}


def test_figures_and_verdicts(top: Path) -> None:
    figures = sorted({path.stem for path in (top / "figures").iterdir()})
    assert figures == sorted(PAPER["figures"])
    for name in figures:
        assert (top / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "**In the paper.**" in (top / "figures" / f"{name}.md").read_text()
    verdicts = {entry["name"]: entry for entry in json.loads((top / "claims.json").read_text())}
    assert verdicts.keys() == PAPER["claims"].keys()
    assert {entry["verdict"] for entry in verdicts.values()} <= set(VERDICTS)
    # Thirty-six models, all of them right, are the fewest that show 0.9.
    assert verdicts["hub-clusters-data"]["verdict"] == "holds"
    assert verdicts["hub-hull-outside-general"]["unit_kind"] == "models"


def test_lock_holds_a_commit_of_every_repository(top: Path) -> None:
    hubs = [model["start"]["hub"] for model in PAPER["models"].values() if "hub" in model["start"]]
    data = {corpus["id"] for corpus in PAPER["corpora"].values() if "id" in corpus}
    assert yaml.safe_load((top.parents[1] / "regions.lock.yaml").read_text()) == {
        "models": {hub: {"main": commit_of("model", hub)} for hub in hubs},
        "datasets": {name: {"main": commit_of("dataset", name)} for name in data},
    }


def test_nothing_is_left_to_do(top: Path) -> None:
    done = snakemake(top.parents[1], "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr

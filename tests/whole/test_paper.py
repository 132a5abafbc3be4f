"""config/paper.yaml, complete and offline: every job of the paper's study, on a hub cache made by hand.

Only counts and the places of files are overridden. The models have random weights, so the numbers mean nothing, but
each stage reads what the previous one wrote, from the hub's files to the verdicts.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from lm_interpolation.claims.vocabulary import VERDICTS
from lm_interpolation.study.extending import extended
from lm_interpolation.study.opening import read_study
from tests.hub_cache import commit_of, make_cache, point_main_at, write_prompts
from tests.offline import check_overrides, run_offline
from tests.whole.test_workflow import ROOT, copy_sources

pytestmark = [pytest.mark.slow, pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

FIGURES = [*(f"fig{number}" for number in range(3, 12)), "table2", "barrier", "linearity"]

SHORT = {
    "batch_size": 4,
    "steps": 2,
    "block_length": 16,
    "warmup_steps": 1,
    "log_steps": 1,
    "eval_steps": 2,
    "save_steps": 2,
}
SEARCH = {"grid": {"learning_rate": [1e-6], "batch_size": [2, 4], "steps": [1, 2]}}

OVERRIDES: dict[str, Any] = {
    "device": "cpu",
    "hub_lock": "paper.lock.yaml",
    "corpora": {"c4": {"limit": {"dev": 25}}},
    "models": {
        "positive": {"training": SHORT},
        "negative": {"training": SHORT},
        "scratch": {"training": {**SHORT, "processes": 2}},
    },
    "prompts": {
        "neutral": {"path": "prompts/neutral_prompts.jsonl"},
        "positive": {"path": "prompts/positive_prompts.jsonl"},
        "negative": {"path": "prompts/negative_prompts.jsonl"},
        "neutral-sample": {"path": "prompts/neutral_prompts.jsonl", "sample": 3},
    },
    "generation": {"max_new_tokens": 4, "samples": 2},
    "sweeps": {
        "theta1": {"grid": {"alpha": [0, 0.5, 1]}},
        "theta2": {"grid": {"gamma": [0, 1]}, "prompts": ["neutral"]},
        "theta3": {"grid": {"alpha": [0, 1]}},
        "ensemble": {"grid": {"gamma": [0, 1]}},
        "plane": {"grid": {"alpha": {"count": 2}, "beta": {"count": 2}}, "anchors": [{"alpha": 0, "beta": 0}]},
        "tangent": {"grid": {"alpha": [-1, 0, 1], "beta": [-1, 0, 1]}},
        "unrelated": {"grid": {"alpha": [0, 0.5, 1]}},
    },
    "analyses": {
        "taylor": {"prefixes": 2},
        "side-by-side": {"prefixes": 2, "at": [0, 1]},
        "generation-cost": {"prefixes": 2, "repeats": 1},
    },
    "searches": {"positive-search": SEARCH, "negative-search": SEARCH},
    "tables": {"resamples": 100},
    "compute": {
        "threads": {"train": 1, "generate": 1, "score": 1},
        "batch_size": {"generate": 16, "score": 16, "train": 1},
    },
}


PAPER, _ = extended(read_study([ROOT / "config" / "paper.yaml"]))


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_offline(folder, ["config/paper.yaml", "overrides.yaml"], *arguments)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sources, the hub cache in hf/, and the finished study."""
    folder = tmp_path_factory.mktemp("paper")
    copy_sources(folder)
    (folder / "config").mkdir()
    for name in ("paper.yaml", "experiments.yaml"):
        shutil.copy(ROOT / "config" / name, folder / "config")
    (folder / "overrides.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(OVERRIDES))))
    make_cache(folder / "hf")
    write_prompts(folder / "prompts")
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert "left out" not in done.stderr
    return folder


def test_overrides_replace_what_the_study_has() -> None:
    check_overrides(OVERRIDES, PAPER)


def test_every_figure_is_drawn_and_described(paper: Path) -> None:
    figures = paper / "results" / "paper" / "figures"
    assert sorted({path.stem for path in figures.iterdir()}) == sorted(FIGURES)
    for name in FIGURES:
        assert (figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (figures / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert "**In the paper.**" in (figures / f"{name}.md").read_text()


def test_every_claim_has_a_verdict(paper: Path) -> None:
    claims = PAPER["claims"]
    verdicts = json.loads((paper / "results" / "paper" / "claims.json").read_text())
    assert len(verdicts) == len(claims) > 20
    assert {verdict["verdict"] for verdict in verdicts} <= set(VERDICTS)
    text = (paper / "results" / "paper" / "claims.md").read_text()
    assert all(f"(`{name}`)" in text for name in claims)


def test_tables_hold_what_was_scored(paper: Path) -> None:
    tables = paper / "results" / "paper" / "tables"
    theta1 = pd.read_csv(tables / "theta1.csv")
    assert set(theta1["prompts"]) == {"neutral", "positive", "negative"}
    assert set(theta1["scorer"]) == {"sentiment", "grammar", "perplexity", "distinct"}
    assert {"score", "p_negative", "p_neutral", "p_positive"} <= set(
        theta1.loc[theta1["scorer"] == "sentiment", "statistic"]
    )
    assert {"p_acceptable", "p_unacceptable"} <= set(theta1.loc[theta1["scorer"] == "grammar", "statistic"])
    assert len(pd.read_csv(tables / "plane.csv")["point"].unique()) == 5
    # One learning rate, two batch sizes, two numbers of steps.
    assert len(pd.read_csv(tables / "positive-search.csv")) == 4
    assert set(pd.read_csv(tables / "distances.csv")["pair"]) == {"θ⁺ − θ⁰", "θ⁻ − θ⁰", "scratch − DistilGPT-2"}


def test_two_processes_trained_on_the_stream(paper: Path) -> None:
    top = paper / "results" / "paper"
    shards = json.loads((top / "corpora" / "c4" / "stream.json").read_text())
    assert shards["revision"] == commit_of("dataset", "allenai/c4")
    assert shards["files"] == [f"en/c4-train.{shard:05}-of-00003.json.gz" for shard in range(3)]
    metrics = json.loads((top / "training" / "scratch" / "metrics.json").read_text())
    assert metrics["seen_tokens"] == 2 * 4 * 16
    curve = pd.read_csv(top / "training" / "scratch" / "loss.csv")
    assert curve.loc[curve["split"] == "train", "step"].tolist() == [1, 2]


def test_lock_holds_a_commit_of_every_repository(paper: Path) -> None:
    study = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    starts = [model["start"] for model in study["models"].values()]
    assert yaml.safe_load((paper / "paper.lock.yaml").read_text()) == {
        "models": {start["hub"]: {"main": commit_of("model", start["hub"])} for start in starts if "hub" in start},
        "datasets": {
            corpus["id"]: {"main": commit_of("dataset", corpus["id"])} for corpus in study["corpora"].values()
        },
    }


def test_nothing_is_left_to_do(paper: Path) -> None:
    done = snakemake(paper, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_revision_that_moved_is_refused(paper: Path) -> None:
    repository, old, new = "openai-community/gpt2-xl", commit_of("model", "openai-community/gpt2-xl"), "0" * 40
    lock = (paper / "paper.lock.yaml").read_bytes()
    point_main_at(paper / "hf" / "hub", "model", repository, new)
    try:
        done = snakemake(
            paper, "--forcerun", "import_model", "--until", "import_model", "--", "results/paper/models/judge"
        )
    finally:
        point_main_at(paper / "hf" / "hub", "model", repository, old)
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert re.search(rf"paper\.lock\.yaml: revision main of model {repository} was {old} and is now {new}; ", line)
    assert (paper / "paper.lock.yaml").read_bytes() == lock

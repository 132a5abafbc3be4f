"""A study as the rules see it, and what Snakemake plans for one (dry runs, nothing is executed)."""

import copy
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from workflow.lib.points import Point
from workflow.lib.sources import ROOT
from workflow.lib.study import Study, alternatives

TRAINING = {"steps": 2, "batch_size": 2, "block_length": 8, "learning_rate": 0.001}
CORPUS = {"source": "synthetic", "kind": "reviews", "counts": {"train": 30, "dev": 30, "test": 30}}


def sweep_of(origin: dict[str, Any], grid: dict[str, Any], **directions: dict[str, Any]) -> dict[str, Any]:
    return {"origin": origin, "directions": directions, "grid": grid, "prompts": ["neutral"]}


TO_POSITIVE = {"positive": 1, "negative": -1}
CONFIG: dict[str, Any] = {
    "study": "small",
    "corpora": {"tiny": CORPUS},
    "tokenizers": {"bpe": {"corpus": "tiny", "vocab_size": 300}},
    "models": {
        "base": {
            "task": "language-model",
            "start": {"architecture": {"model_type": "gpt2"}, "tokenizer": "bpe"},
            "data": {"corpus": "tiny"},
            "training": TRAINING,
        },
        **{
            name: {
                "task": "language-model",
                "start": {"model": "base"},
                "data": {"corpus": "tiny", "class": name},
                "training": TRAINING,
            }
            for name in ("positive", "negative")
        },
        "judge": {
            "task": "classifier",
            "start": {"model": "base"},
            "data": {"corpus": "tiny"},
            "training": TRAINING,
        },
        "gpt2-large": {
            "task": "language-model",
            "start": {"hub": "openai-community/gpt2-large", "revision": "32b71b1"},
        },
    },
    "prompts": {"neutral": {"source": "list", "texts": ["The film"]}},
    "generation": {"top_p": 0.9, "max_new_tokens": 4, "samples": 2},
    "scorers": {
        "sentiment": {"kind": "classifier", "model": "judge", "weights": {"positive": 1}},
        "perplexity": {"kind": "perplexity", "model": "gpt2-large"},
    },
    "sweeps": {
        "theta1": sweep_of({"negative": 1}, {"alpha": [0, 0.5, 1]}, alpha=TO_POSITIVE),
        # Theta1's point positive = 1 is here at (1, 0), negative = 1 at (0, 1).
        "theta3": sweep_of(
            {"base": 1},
            {"alpha": [0, 1], "beta": [0, 1]},
            alpha={"positive": 1, "base": -1},
            beta={"negative": 1, "base": -1},
        ),
    },
}
POINTS = {
    "negative=1",
    "negative=0.5,positive=0.5",
    "positive=1",
    "base=1",
    "base=-1,negative=1,positive=1",
}


@pytest.fixture
def study() -> Study:
    return Study(CONFIG)


# --- jobs and their inputs ---


def test_a_study_does_not_change_its_config() -> None:
    config = copy.deepcopy(CONFIG)
    Study(config)
    assert config == CONFIG


def test_each_point_is_in_one_line(study: Study) -> None:
    assert {key: [point.id for point in line.points] for key, line in study.lines.items()} == {
        ("neutral", "theta1"): ["negative=1", "negative=0.5,positive=0.5", "positive=1"],
        ("neutral", "theta3,beta=0"): ["base=1"],
        ("neutral", "theta3,beta=1"): ["base=-1,negative=1,positive=1"],
    }
    assert study.line_points("neutral", "theta3,beta=0") == ["base=1"]
    assert study.line_texts("neutral", "theta3,beta=0") == ["results/small/texts/weights/neutral/base=1.parquet"]


def test_a_sweep_reads_the_scores_of_shared_points_from_the_first(study: Study) -> None:
    scores = [f"results/small/scores/neutral/{line}/{scorer}.parquet" for line in ("theta1", "theta3,beta=0",
              "theta3,beta=1") for scorer in ("perplexity", "sentiment")]  # fmt: skip
    assert study.sweep_scores("theta1") == scores[:2]
    assert study.sweep_scores("theta3") == scores


def test_a_merge_reads_its_models_in_the_order_of_the_point(study: Study) -> None:
    point = "base=-1,negative=1,positive=1"
    assert study.merge_inputs(point) == [f"results/small/models/{name}" for name in Point.parse(point).models]


def test_training_reads_data_and_its_start(study: Study) -> None:
    corpus = {split: f"results/small/corpora/tiny/{split}.parquet" for split in ("train", "dev")}
    assert study.training_inputs("base") == corpus | {"tokenizer": "results/small/tokenizers/bpe"}
    assert study.training_inputs("positive") == corpus | {"start": "results/small/models/base"}
    # A classifier is measured on test, too.
    corpus["test"] = "results/small/corpora/tiny/test.parquet"
    assert study.training_inputs("judge") == corpus | {"start": "results/small/models/base"}


def test_models_are_trained_or_imported(study: Study) -> None:
    assert study.trained("language-model") == ["base", "positive", "negative"]
    assert study.trained("classifier") == ["judge"]
    assert study.imported() == ["gpt2-large"]
    assert study.model_files("gpt2-large") == []
    assert study.scorers("classifier") == ["sentiment"] and study.scorers("distinct") == []


def test_settings_are_in_one_order_whatever_the_config_says(study: Study) -> None:
    settings = study.settings("merge.py", b={"y": 1, "x": [{"d": 1, "c": 2}]}, a=0)
    assert json.dumps({key: settings[key] for key in ("a", "b")}) == '{"a": 0, "b": {"x": [{"c": 2, "d": 1}], "y": 1}}'
    assert list(settings) == ["a", "b", "packages"] and "numpy" in settings["packages"]


def test_a_gpu_is_asked_for_on_cuda_only(study: Study) -> None:
    assert study.gpu == 0 and Study(CONFIG | {"device": "cuda"}).gpu == 1


def test_sources_are_found_from_any_working_directory(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [Path(path) for path in study.sources("merge.py")]
    assert not any(path.is_absolute() for path in paths)
    assert {path.resolve() for path in paths} >= {ROOT / "workflow/scripts/merge.py", ROOT / "workflow/lib/merging.py"}


def test_alternatives_match_names_and_nothing_else() -> None:
    pattern = alternatives(["a.b", "a"])
    assert [name for name in ("a.b", "a", "axb", "a.b.c", "") if re.fullmatch(pattern, name)] == ["a.b", "a"]
    assert not re.search(alternatives([]), "") and not re.search(alternatives([]), "x")


# --- what Snakemake plans ---


def dry_run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1"]
    return subprocess.run(
        [*command, "--directory", str(folder), *arguments], capture_output=True, text=True, check=False
    )


def write_config(folder: Path, config: dict[str, Any], name: str = "small.yaml") -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return str(path)


def planned(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The messages of all planned jobs."""
    assert result.returncode == 0, result.stdout + result.stderr
    return re.findall(r"^Job \d+: (.*)$", result.stdout + result.stderr, re.MULTILINE)


def test_a_mistake_in_the_config_is_one_clear_line(tmp_path: Path) -> None:
    config = copy.deepcopy(CONFIG)
    config["sweeps"]["theta1"]["origin"] = {"negativ": 1}
    result = dry_run(tmp_path, "--configfile", write_config(tmp_path, config))
    output = result.stdout + result.stderr
    assert result.returncode == 1
    assert "Traceback" not in output
    told = [line for line in output.splitlines() if "negativ" in line]
    assert told == ["small.yaml: sweeps.theta1: model 'negativ' is not declared; did you mean 'negative'?"]
    assert not (tmp_path / "results").exists()


def test_another_study_replaces_the_default_and_shares_points(tmp_path: Path) -> None:
    # The default config is there, and must have no part in it.
    write_config(tmp_path / "config", yaml.safe_load((ROOT / "config" / "config.yaml").read_text()), "config.yaml")
    jobs = planned(dry_run(tmp_path, "--configfile", write_config(tmp_path, CONFIG)))
    assert sorted(job for job in jobs if job.startswith(("Read corpus", "Read prompts", "Import", "Tabulate"))) == [
        "Import model gpt2-large",
        "Read corpus tiny",
        "Read prompts neutral",
        "Tabulate theta1",
        "Tabulate theta3",
    ]
    # Two of the points belong to both sweeps.
    assert Counter(jobs)["Merge positive=1"] == Counter(jobs)["Merge negative=1"] == 1
    assert sorted(job for job in jobs if job.startswith("Merge ")) == sorted(f"Merge {point}" for point in POINTS)
    generated = sorted(job for job in jobs if job.startswith("Generate "))
    assert generated == sorted(f"Generate from neutral at {point}" for point in POINTS)
    # Each line once per scorer.
    assert Counter(job.split(" (")[0].split(" along ")[1] for job in jobs if job.startswith("Score ")) == {
        "theta1": 2,
        "theta3,beta=0": 2,
        "theta3,beta=1": 2,
    }


def test_values_on_the_command_line_override_the_default_config(tmp_path: Path) -> None:
    write_config(tmp_path / "config", CONFIG, "config.yaml")
    result = dry_run(tmp_path, "--config", "study=other", "device=cuda")
    output = result.stdout + result.stderr
    assert len(planned(result)) > 20
    assert "results/other/tables/theta1.csv" in output and "results/small" not in output


def test_the_embedded_study_is_planned(tmp_path: Path) -> None:
    jobs = planned(dry_run(tmp_path, "--configfile", str(ROOT / "config" / "config.yaml")))
    study = Study(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()))
    points = {entry.point for sweep in study.sweeps.values() for entry in sweep.points}
    merged = [job.removeprefix("Merge ") for job in jobs if job.startswith("Merge ")]
    assert sorted(merged) == sorted(point.id for point in points)
    assert jobs.count("Summarise the study") == 1 and jobs.count("Draw fig3") == 1


def test_what_has_an_order_keeps_it_in_settings() -> None:
    config = copy.deepcopy(CONFIG)
    corpus = next(iter(config["corpora"]))
    for replace in ({"<br />": " ", "  ": " "}, {"  ": " ", "<br />": " "}):
        config["corpora"][corpus]["replace"] = replace
        study = Study(config)
        settings = study.settings("corpus.py", corpus=study.corpus_settings(corpus))
        assert settings["corpus"]["replace"] == [list(pair) for pair in replace.items()]
    sweep = next(iter(config["sweeps"]))
    assert [name for name, _ in study.table_settings(sweep)["scorers"]] == list(CONFIG["scorers"])
    assert study.table_settings(sweep)["coordinates"] == list(CONFIG["sweeps"][sweep]["directions"])

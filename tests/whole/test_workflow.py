"""The workflow itself, run by Snakemake on tests/tiny.yaml: what a change reruns, and what a kill leaves behind.

The job counts come from dry runs after a finished study.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from benchmarks.dag import copy_workflow, make_trivial, write_plane

pytestmark = [pytest.mark.slow, pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

ROOT = Path(__file__).parents[2]
PARTS = ["Snakefile", "workflow", "src", "profiles", "envs", "requirements.lock", "README.md"]


def copy_sources(target: Path) -> None:
    copy_workflow(target)
    shutil.copy(ROOT / "README.md", target)


def snakemake(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a process group of its own, so that a fault kills it and its jobs but not the tests."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "tiny.yaml", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        start_new_session=True,
        capture_output=True,
        text=True,
        check=False,
    )


def finish(folder: Path, *arguments: str) -> None:
    done = snakemake(folder, *arguments)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def all_planned(folder: Path, *arguments: str) -> dict[str, int]:
    """Rule to number of jobs of a dry run, without the target rule and what follows every change."""
    done = snakemake(folder, "--dry-run", "--quiet", "rules", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    table = re.search(r"^-+  -+\n(.*?)^total ", done.stdout + done.stderr, re.MULTILINE | re.DOTALL)
    rows = [line.split() for line in table[1].splitlines()] if table else []
    return {rule: int(count) for rule, count in rows if rule not in ("all", "default", "manifest")}


def planned(folder: Path, *arguments: str) -> dict[str, int]:
    """The same without what follows every table."""
    jobs = all_planned(folder, *arguments)
    # The text beside a table follows the table.
    assert jobs.pop("describe_table", 0) == sum(jobs.get(rule, 0) for rule in ("table", "loss_table", "search_table"))
    return jobs


def results(folder: Path) -> dict[str, str]:
    """sha256 of everything that a study is asked for; logs, timings and figures aside."""
    top = folder / "results" / "tiny"
    files = [
        path
        for part in ("corpora", "prompts", "tokenizers", "models", "texts", "scores", "tables", "training")
        for path in (top / part).rglob("*")
        if path.is_file() and path.name != ".snakemake_timestamp"
    ]
    return {str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sources and the finished study, merged checkpoints deleted as usual."""
    folder = tmp_path_factory.mktemp("finished")
    copy_sources(folder)
    shutil.copy(ROOT / "tests" / "tiny.yaml", folder)
    finish(folder)
    return folder


@pytest.fixture
def edit(finished: Path) -> Iterator[Callable[[Callable[[dict], None]], None]]:
    """Change the study's config for one test."""
    original = (finished / "tiny.yaml").read_text()

    def change(what: Callable[[dict], None]) -> None:
        # Through JSON, because YAML anchors make one object of settings that several models share.
        config = json.loads(json.dumps(yaml.safe_load(original)))
        what(config)
        (finished / "tiny.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    yield change
    (finished / "tiny.yaml").write_text(original)


@pytest.fixture
def append(finished: Path) -> Iterator[Callable[[str, str], None]]:
    """Append text to a source file for one test."""
    originals: dict[Path, bytes] = {}

    def change(file: str, text: str) -> None:
        path = finished / file
        originals[path] = path.read_bytes()
        path.write_bytes(originals[path] + text.encode())

    yield change
    for path, content in originals.items():
        path.write_bytes(content)


@pytest.mark.quick
def test_results_are_complete(finished: Path) -> None:
    top = finished / "results" / "tiny"
    table = pd.read_csv(top / "tables" / "theta1.csv")
    assert list(table["alpha"].unique()) == [0, 0.5, 1]
    assert set(table["scorer"]) == {"sentiment", "grammar", "perplexity", "distinct"}
    assert (table["n_texts"] + table["n_excluded"] == 12).all()
    assert (top / "figures" / "fig3.png").read_bytes().startswith(b"\x89PNG")
    assert (top / "figures" / "fig3.pdf").read_bytes().startswith(b"%PDF")
    assert "<title>Explorer: tiny</title>" in (top / "explorer.html").read_text()
    summary = (top / "summary.txt").read_text()
    assert "Study tiny" in summary and summary.endswith("in a browser: results/tiny/explorer.html\n")
    assert not list((top / "checkpoints").rglob("*=*")), "merged checkpoints are temporary"
    assert not list(top.rglob(".partial-*"))
    texts = pd.read_parquet(top / "texts" / "weights" / "neutral" / "positive=1.parquet")
    assert list(texts.columns) == ["row", "sample", "continuation", "tokens", "stop"]
    assert len(texts) == 12


def test_a_shared_point_has_equal_rows_in_both_tables(finished: Path) -> None:
    tables = finished / "results" / "tiny" / "tables"
    statistics = ["point", "scorer", "statistic", "estimate", "n_texts"]
    one, two = (
        table[table["point"] == "positive=1"][statistics].reset_index(drop=True)
        for table in (pd.read_csv(tables / "theta1.csv"), pd.read_csv(tables / "toward.csv"))
    )
    assert len(one) > 0
    pd.testing.assert_frame_equal(one, two)
    # Four different points of five were merged and generated, each once.
    assert len(list((finished / "results" / "tiny" / "benchmarks" / "checkpoints").rglob("*.tsv"))) == 4


@pytest.mark.quick
def test_nothing_changed(finished: Path) -> None:
    assert planned(finished) == {}


def test_sources_touched(finished: Path) -> None:
    future = time.time() + 10
    for part in PARTS:
        for path in [finished / part, *(finished / part).rglob("*")]:
            os.utime(path, (future, future))
    assert planned(finished) == {}


def test_sources_checked_out_anew(finished: Path) -> None:
    for part in PARTS:
        path = finished / part
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    copy_sources(finished)
    assert planned(finished) == {}


def test_results_moved(finished: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(finished, moved)
    assert planned(moved) == {}


@pytest.mark.quick
def test_plot_setting(finished: Path, edit: Callable) -> None:
    edit(lambda config: config["figures"]["fig3"].update(dpi=100))
    assert planned(finished) == {"draw_figure": 1}


AFTER_TABLES = {
    "draw_figure": 1,
    "describe_figure": 1,
    "verdicts": 1,
    "verdicts_page": 1,
    "overview": 1,
    "write_explorer": 1,
    "summary": 1,
}

THETA1_SCORED = {
    "score": 4,
    # The point at alpha = 1 is scored with theta1 and read by the table of the other sweep, too.
    "table": 2,
    **AFTER_TABLES,
}


def test_each_kind_of_scorer_ran_its_own_script(finished: Path) -> None:
    # One rule scores; what a file holds tells which script wrote it.
    keys = ["point", "row", "sample"]
    expected = {
        "sentiment": [*keys, "p_negative", "p_neutral", "p_positive"],
        "grammar": [*keys, "p_acceptable", "p_unacceptable"],
        "perplexity": [*keys, "nll_continuation", "tokens_continuation", "nll_text", "tokens_text"],
        "distinct": ["point", "row", "texts", "distinct_1", "distinct_2"],
    }
    folder = finished / "results" / "tiny" / "scores" / "neutral" / "theta1"
    assert {path.stem: pq.read_schema(path).names for path in folder.glob("*.parquet")} == expected


def test_one_more_alpha(finished: Path, edit: Callable) -> None:
    edit(lambda config: config["sweeps"]["theta1"]["grid"]["alpha"].append(0.25))
    assert planned(finished) == {
        "merge": 1,
        "generate": 1,
        **THETA1_SCORED,
        "evaluate_losses": 1,
        "loss_table": 1,
    }


def test_one_more_prompt_set(finished: Path, edit: Callable) -> None:
    def add(config: dict) -> None:
        config["prompts"]["openings"] = {"source": "list", "texts": ["In short, the"]}
        config["sweeps"]["theta1"]["prompts"].append("openings")

    edit(add)
    # Texts and scores of the new prompts alone.
    assert planned(finished) == {"prompts": 1, "merge": 3, "generate": 3, **THETA1_SCORED, "table": 1}


def test_samples_of_one_prompt_set(finished: Path, edit: Callable, tmp_path: Path) -> None:
    def add(config: dict) -> None:
        config["prompts"]["once"] = {**config["prompts"]["neutral"], "samples": 1}
        for sweep in ("theta1", "ensemble"):
            config["sweeps"][sweep]["prompts"].append("once")

    edit(add)
    # Texts and scores of that set alone; the other sweep's table stays.
    changed = {"prompts": 1, "merge": 3, "generate": 3, **THETA1_SCORED, "generate_ensemble": 1, "score": 5}
    assert planned(finished) == changed
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    finish(copy)
    texts = copy / "results" / "tiny" / "texts"
    once = sorted(texts.rglob("once/*.parquet"))
    assert len(once) == 4 and {path.parts[-3] for path in once} == {"weights", "logits"}
    for path in once:
        all_samples = pd.read_parquet(path.parents[1] / "neutral" / path.name)
        first = all_samples[all_samples["sample"] == 0].reset_index(drop=True)
        pd.testing.assert_frame_equal(pd.read_parquet(path), first)
    table = pd.read_csv(copy / "results" / "tiny" / "tables" / "theta1.csv")
    counts = (table["n_texts"] + table["n_excluded"]).groupby(table["prompts"]).unique()
    assert counts["neutral"].tolist() == [12] and counts["once"].tolist() == [4]
    same = {name: digest for name, digest in results(finished).items() if "tables/" not in name}
    assert same.items() <= results(copy).items()
    told = "3 continuations per prompt of neutral, 1 continuation per prompt of once, of at most 6 tokens"
    assert told in (copy / "results" / "tiny" / "explorer.html").read_text()
    # As many as in the rest of the study: nothing to do.
    edit(lambda config: config["prompts"]["neutral"].update(samples=3))
    assert planned(finished) == {}


def test_samples_of_one_scorer(finished: Path, edit: Callable, tmp_path: Path) -> None:
    def change(config: dict) -> None:
        config["scorers"]["perplexity"]["samples"] = 2

    edit(change)
    # Scores and tables of that scorer; no text.
    assert planned(finished) == {"score": 2, "table": 2, **AFTER_TABLES}
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    finish(copy)
    assert planned(copy) == {}
    top = copy / "results" / "tiny"
    same = {path: digest for path, digest in results(finished).items() if not re.search("tables/|perplexity", path)}
    assert len(same) > 50 and same.items() <= results(copy).items()
    for path in (top / "scores").rglob("perplexity.parquet"):
        found = pd.read_parquet(path)
        whole = pd.read_parquet(finished / path.relative_to(copy))
        first = whole[whole["sample"] < 2].reset_index(drop=True)
        assert len(found) == len(whole) * 2 // 3
        pd.testing.assert_frame_equal(found, first, rtol=1e-4)
    table, before = (pd.read_csv(folder / "results" / "tiny" / "tables" / "theta1.csv") for folder in (copy, finished))
    judged = table["scorer"] == "perplexity"
    pd.testing.assert_frame_equal(table[~judged], before[~judged])
    # Four prompts.
    assert set((table["n_texts"] + table["n_excluded"])[judged]) == {8} and set(table["n_prompts"][judged]) == {4}
    told = "perplexity: perplexity under base, of the first 2 of 3 continuations of each prompt"
    for file in ("figures/fig3.md", "tables/theta1.md", "claims.md", "overview.md"):
        assert told in (top / file).read_text(), file
    assert (
        "perplexity (of each prompt at most the first 2 continuations) continuation"
        in (top / "summary.txt").read_text()
    )
    (claim,) = json.loads((top / "claims.json").read_text())
    assert claim["units"] == 4 and claim["unit_kind"] == "prompts"
    assert '"judged":{"perplexity":{"neutral":2}}' in (top / "explorer.html").read_text().replace(" ", "")
    # As many as there are: as if it had none.
    edit(lambda config: config["scorers"]["perplexity"].update(samples=3))
    assert planned(finished) == {}


def test_perplexity_judge(finished: Path, edit: Callable) -> None:
    edit(lambda config: config["scorers"]["perplexity"].update(model="positive"))
    # What it learnt from is compared with what it judges.
    assert planned(finished) == {"count_leaks": 1, "score": 2, "table": 2, **AFTER_TABLES}


def test_class_weight_of_a_scorer(finished: Path, edit: Callable) -> None:
    edit(lambda config: config["scorers"]["sentiment"]["weights"].update(neutral=0.4))
    assert planned(finished) == {
        "table": 2,
        "draw_figure": 1,
        "describe_figure": 1,
        "overview": 1,
        "write_explorer": 1,
        "summary": 1,
    }


def test_an_exam_of_a_judge(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "examined"
    shutil.copytree(finished, folder)
    before = results(folder)

    def examine(**exam: Any) -> None:
        config = yaml.safe_load((ROOT / "tests" / "tiny.yaml").read_text())
        judge = config["models"]["sentiment-judge"]
        config["models"]["sentiment-judge"] = judge | {"exam": exam}
        (folder / "tiny.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    examine(accuracy=0.99)
    # What shows the judge: two tables and a figure have its scores. Nothing is trained, scored or tabulated.
    shown = {"draw_figure": 1, "describe_figure": 1, "describe_table": 2, "overview": 1, "write_explorer": 1}
    assert all_planned(folder) == {
        "examine_judge": 1,
        "exam_page": 1,
        "count_leaks": 1,
        "verdicts": 1,
        "verdicts_page": 1,
        "summary": 1,
        **shown,
    }
    finish(folder)
    top = folder / "results" / "tiny"
    found = json.loads((top / "judges" / "sentiment-judge" / "exam.json").read_text())
    # Its texts are those that training measured it on, which cut some to the length of its blocks.
    measured = json.loads((top / "training" / "sentiment-judge" / "metrics.json").read_text())["test"]
    assert found["judge"]["accuracy"]["estimate"] == pytest.approx(measured["accuracy"])
    assert list(found["judge"]["recall"].values()) == pytest.approx(list(measured["recall"].values()))
    error = found["judge"]["expected_calibration_error"]
    assert error == pytest.approx(measured["expected_calibration_error"], abs=0.01)
    assert found["baseline"]["train_texts"] == 300
    line = "sentiment by sentiment-judge: weak judge (its accuracy of"
    for page in ("summary.txt", "overview.md", "figures/fig3.md", "tables/theta1.md"):
        text = (top / page).read_text()
        assert line in text and "our mark of 0.99" in text and "a TF-IDF logistic regression: " in text, page
    assert "our mark of 0.99" in (top / "explorer.html").read_text()
    assert all_planned(folder) == {}
    after = results(folder)
    # The texts beside tables say more, and nothing else has changed.
    assert {name for name in before if after[name] != before[name]} <= {f"tables/{n}.md" for n in ("theta1", "toward")}
    # The mark judges the exam, and does not decide on its results.
    examine(accuracy=0.1)
    assert all_planned(folder) == {"exam_page": 1, "summary": 1, **shown}


AFTER_GENERATION = {
    "generate": 4,
    "score": 8,
    "table": 2,
    **AFTER_TABLES,
}


# Of its own: one point, scored by one scorer, in a table of its own.
IN_LOGIT_SPACE = {"generate_ensemble": 1, "score": AFTER_GENERATION["score"] + 1, "table": 3}


def test_sampling_seed(finished: Path, edit: Callable) -> None:
    edit(lambda config: config["generation"].update(seed=1))
    # No training. Texts in logit space, too. The merged checkpoints were temporary, so they are made again ...
    assert planned(finished) == {"merge": 4, **AFTER_GENERATION, **IN_LOGIT_SPACE}


def test_sampling_seed_with_kept_checkpoints(finished: Path, edit: Callable, tmp_path: Path) -> None:
    # ... but not where they were kept.
    kept = tmp_path / "kept"
    shutil.copytree(finished, kept)
    finish(kept, "--notemp", "--forcerun", "merge")
    config = yaml.safe_load((kept / "tiny.yaml").read_text())
    config["generation"]["seed"] = 1
    (kept / "tiny.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    assert planned(kept, "--notemp") == {**AFTER_GENERATION, **IN_LOGIT_SPACE}


def test_how_the_work_is_done_changes_nothing(finished: Path, edit: Callable) -> None:
    edit(lambda config: config["compute"]["batch_size"].update(generate=64, score=64))
    assert planned(finished) == {}


def test_override_on_the_command_line(finished: Path) -> None:
    assert planned(finished, "--config", 'figures={"fig3": {"dpi": 100}}') == {"draw_figure": 1}


def test_when_to_save_a_training(finished: Path, edit: Callable) -> None:
    edit(lambda config: config["models"]["base"]["training"].update(save_steps=7))
    assert planned(finished) == {}


def test_one_more_training_step(finished: Path, edit: Callable) -> None:
    edit(lambda config: config["models"]["negative"]["training"].update(steps=21))
    # What is made of the negative model: two of the four points, on theta1's line. Of the other line, nothing.
    assert planned(finished) == {
        "train_language_model": 1,
        "merge": 2,
        "generate": 2,
        **THETA1_SCORED,
        "evaluate_losses": 1,
        "loss_table": 1,
    }


def test_swapped_values_within_a_stage(finished: Path, edit: Callable) -> None:
    def swap(config: dict) -> None:
        training = config["models"]["sentiment-judge"]["training"]
        training["log_steps"], training["eval_steps"] = training["eval_steps"], training["log_steps"]

    edit(swap)
    jobs = planned(finished)
    # No claim is about the sentiment.
    after = {rule: count for rule, count in AFTER_TABLES.items() if rule not in ("verdicts", "verdicts_page")}
    assert jobs == {"train_classifier": 1, "score": 2, "table": 2, **after}


def test_edited_merging(finished: Path, append: Callable) -> None:
    append("src/lm_interpolation/points/merging.py", "EDITED = True\n")
    assert planned(finished) == {"merge": 4, **AFTER_GENERATION}


def test_edited_reading_of_weights(finished: Path, append: Callable) -> None:
    """Merging to disk and moving in memory share it."""
    append("src/lm_interpolation/points/reading.py", "EDITED = True\n")
    assert planned(finished) == {"merge": 4, **AFTER_GENERATION, "evaluate_losses": 1, "loss_table": 1}


def test_edited_plots(finished: Path, append: Callable) -> None:
    append("src/lm_interpolation/figures/style.py", "EDITED = 1\n")
    assert planned(finished) == {"draw_figure": 1}


def test_edited_comments_and_docstrings(finished: Path, append: Callable) -> None:
    append("src/lm_interpolation/points/merging.py", "# edited\n")
    append("src/lm_interpolation/texts/generation.py", '"""Edited."""\n')
    append("workflow/scripts/models/train_classifier.py", "# edited\n")
    assert planned(finished) == {}


def test_edited_page(finished: Path, append: Callable) -> None:
    append("workflow/report/explorer.css", "/* edited */\n")
    assert planned(finished) == {"write_explorer": 1}


def test_edited_readme(finished: Path, append: Callable) -> None:
    append("README.md", "<!-- edited -->\n")
    assert planned(finished) == {}


def test_upgraded_packages(finished: Path) -> None:
    lock = finished / "requirements.lock"
    original = lock.read_text()
    try:
        lock.write_text(re.sub(r"^ruff==.*$", "ruff==99.0", original, flags=re.MULTILINE))
        assert planned(finished) == {}
        lock.write_text(re.sub(r"^matplotlib==.*$", "matplotlib==99.0", original, flags=re.MULTILINE))
        # The explorer has its colours from it.
        assert planned(finished) == {"draw_figure": 1, "write_explorer": 1}
    finally:
        lock.write_text(original)


FAULTS = {
    "training": "lm_interpolation.models.training_state:Reporter.on_log:3",
    "merging": "lm_interpolation.points.merging:_merge_floats:3",
    "generation": "lm_interpolation.texts.generation:_sample_batch:2",
    "writing a score": "lm_interpolation.scores.score_files:write_scores:1",
}


def test_kill_in_the_middle_of_every_stage(finished: Path, tmp_path: Path) -> None:
    """SIGKILL to Snakemake and its jobs, stage after stage; then the end equals the uninterrupted run."""
    copy_sources(tmp_path)
    shutil.copy(finished / "tiny.yaml", tmp_path)
    for stage, fault in FAULTS.items():
        killed = snakemake(tmp_path, FAULT=fault, PYTHONPATH=str(ROOT / "tests" / "faults"))
        assert killed.returncode == -signal.SIGKILL, f"{stage}: {killed.stderr[-2000:]}"
        snakemake(tmp_path, "--unlock")
    # Each kind of unfinished work was there to be found: a checkpoint of a training that can go on among it.
    finish(tmp_path)
    assert "continuing from" in (tmp_path / "results" / "tiny" / "logs" / "models" / "base.log").read_text()
    assert results(tmp_path) == results(finished)
    assert not list((tmp_path / "results").rglob(".partial-*"))


def test_a_checkpoint_is_made_only_where_a_gpu_is_free_for_its_texts(tmp_path: Path) -> None:
    copy_workflow(tmp_path)
    write_plane(tmp_path, "tiny", 40, device="cuda")
    folder = "results/tiny/checkpoints/neutral"
    make_trivial(tmp_path, {"generate.py": f"ls -A {folder} | wc -l >> counts; sleep 0.1; touch {{output}}"})
    # Cores for eight merges at once, and the prompts come late.
    make_trivial(tmp_path, {"prompts.py": "sleep 1; touch {output}"})
    make_trivial(tmp_path)
    finish(tmp_path, "--cores", "8", "--resources", "gpu=1", "--until", "generate")
    counts = [int(line) for line in (tmp_path / "counts").read_text().splitlines()]
    # Its own, and perhaps one that is about to be deleted.
    assert len(counts) == 40 and max(counts) <= 2


def test_benchmarks_and_metrics_are_written(finished: Path) -> None:
    top = finished / "results" / "tiny"
    metrics = json.loads((top / "training" / "sentiment-judge" / "metrics.json").read_text())
    assert 0 <= metrics["test"]["accuracy"] <= 1
    assert len(list((top / "benchmarks" / "checkpoints").rglob("*.tsv"))) == 4

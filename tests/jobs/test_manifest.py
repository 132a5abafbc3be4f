"""The manifest: what it says of a study, and what ``verify`` finds in one."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_interpolation.jobs import manifest
from lm_interpolation.jobs.manifest import (
    Comparison,
    Difference,
    compare,
    compare_settings,
    describe_artefacts,
    describe_study,
    read_manifest,
    total_bytes,
    write_manifest,
)
from lm_interpolation.jobs.runtime import UserError
from tests.whole.test_workflow import ROOT, copy_sources

pytestmark = pytest.mark.usefixtures("warm_python")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


# --- which job makes which file ---

TOY = """
import json, sys
from dataclasses import asdict
sys.path.insert(0, {root!r})
from lm_interpolation.study.lineage import jobs_behind

rule read:
    output: "out/{{name}}.txt"
    wildcard_constraints: name="a|b"
rule measure:
    input: "out/b.txt"
    output: "out/time.txt"
    benchmark: "bench/time.tsv"
rule merge:
    input: lambda wildcards: ["out/a.txt", "data.txt"]
    output: temp(directory("out/merged/{{point}}"))
rule use:
    input: files="out/merged/{{point}}", source="data.txt"
    output: table="out/used/{{point}}.csv", also="out/used/{{point}}.json"
    benchmark: "bench/{{point}}.tsv"
rule draw:
    input: expand("out/used/{{point}}.csv", point=["x", "y"]), "out/time.txt"
    output: "out/figure.png"
rule unwanted:
    input: "out/a.txt"
    output: "out/unwanted.txt"

jobs = jobs_behind(["out/figure.png", "out/used/x.json"], workflow.rules, ["out/time.txt"])
with open("jobs.json", "w") as handle:
    json.dump([asdict(job) for job in jobs], handle)
"""


def test_jobs_are_read_off_the_rules(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(TOY.format(root=str(ROOT)))
    listed = run(tmp_path, "--list-rules")
    assert listed.returncode == 0, listed.stderr
    jobs = json.loads((tmp_path / "jobs.json").read_text())

    def job(rule: str, outputs: list[str], benchmark: str | None, depth: int, reproducible: bool = True) -> dict:
        names = ("rule", "outputs", "benchmark", "depth", "reproducible")
        return dict(zip(names, (rule, outputs, benchmark, depth, reproducible), strict=True))

    # The merged folders are temporary, but count in the depth. The figure shows what was measured.
    assert jobs == [
        job("read", ["out/a.txt"], None, 0),
        job("read", ["out/b.txt"], None, 0),
        job("measure", ["out/time.txt"], "bench/time.tsv", 1, False),
        job("use", ["out/used/x.csv", "out/used/x.json"], "bench/x.tsv", 2),
        job("use", ["out/used/y.csv", "out/used/y.json"], "bench/y.tsv", 2),
        job("draw", ["out/figure.png"], None, 3, False),
    ]


def test_jobs_of_the_embedded_study_are_those_that_snakemake_plans(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    listing = "\nwith open('jobs.json', 'w') as handle:\n    import json\n    json.dump("
    listing += "[asdict(job) for job in "
    listing += "jobs_behind(study.targets.results(), workflow.rules, study.targets.measurements())], handle)\n"
    with open(tmp_path / "Snakefile", "a") as handle:
        handle.write(listing)
    planned = run(tmp_path, "--dry-run", "--quiet", "rules")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    table = re.search(r"^-+  -+\n(.*?)^total ", planned.stdout + planned.stderr, re.MULTILINE | re.DOTALL)
    assert table is not None
    counts = {rule: int(count) for rule, count in (line.split() for line in table[1].splitlines())}
    jobs = json.loads((tmp_path / "jobs.json").read_text())
    # Merged checkpoints are temporary.
    for rule in ("default", "manifest", "merge", "merge_by_method"):
        assert counts.pop(rule) > 0
    assert Counter(job["rule"] for job in jobs) == counts
    # What shows times: the costs and what is told of them, the figure of them with its text, and the summary.
    measured = [path for job in jobs if not job["reproducible"] for path in job["outputs"]]
    assert measured == [
        "results/demo/tables/generation-cost.csv",
        "results/demo/tables/generation-cost.html",
        "results/demo/tables/generation-cost.md",
        "results/demo/figures/fig6.md",
        "results/demo/figures/fig6.png",
        "results/demo/figures/fig6.pdf",
        "results/demo/summary.txt",
    ]


# --- artefacts ---


@pytest.fixture
def study(tmp_path: Path) -> tuple[Path, list[dict[str, Any]]]:
    """A results folder of a model and a table, and their jobs."""
    top = tmp_path / "results"
    (top / "models" / "base").mkdir(parents=True)
    (top / "models" / "base" / "weights").write_bytes(b"weights")
    (top / "models" / "base" / "config.json").write_bytes(b"{}")
    (top / "models" / "base" / ".snakemake_timestamp").write_bytes(b"")
    (top / "table.csv").write_bytes(b"1\n")
    (top / "times.txt").write_bytes(b"7 s\n")
    (top / "model.tsv").write_text("s\th:m:s\tmax_rss\tmean_load\n12.5\t0:00:12\t300.25\t0.5\n")
    (top / "table.tsv").write_text("s\th:m:s\tmax_rss\tmean_load\n0.1\t0:00:00\tNA\tNA\n")
    jobs = [
        {"rule": "train", "outputs": [f"{top}/models/base", f"{top}/metrics.json"], "benchmark": f"{top}/model.tsv"},
        {"rule": "table", "outputs": [f"{top}/table.csv"], "benchmark": f"{top}/table.tsv"},
        {"rule": "time", "outputs": [f"{top}/times.txt"], "benchmark": None},
    ]
    for depth, job in enumerate(jobs):
        job |= {"depth": depth, "reproducible": job["rule"] != "time"}
    return top, jobs


def test_artefacts_are_files_with_their_job(study: tuple[Path, list[dict[str, Any]]]) -> None:
    top, jobs = study
    read: list[int] = []
    described = describe_artefacts(jobs, top, read.append)
    model = {"rule": "train", "depth": 0, "reproducible": True, "seconds": 12.5, "peak_memory_mib": 300.25}
    table = {"rule": "table", "depth": 1, "reproducible": True, "seconds": 0.1, "peak_memory_mib": None}
    times = {"rule": "time", "depth": 2, "reproducible": False, "seconds": None, "peak_memory_mib": None}
    # metrics.json is not there; nor counts what Snakemake notes in a folder.
    assert described == {
        "artefacts": {
            "models/base/config.json": {"sha256": sha256(b"{}"), "bytes": 2, **model},
            "models/base/weights": {"sha256": sha256(b"weights"), "bytes": 7, **model},
            "table.csv": {"sha256": sha256(b"1\n"), "bytes": 2, **table},
            "times.txt": {"sha256": sha256(b"7 s\n"), "bytes": 4, **times},
        },
        "folders": ["models/base"],
    }
    assert read == [2, 9, 11, 15] and total_bytes(jobs) == 15


@pytest.mark.parametrize("content", ["", "s\th:m:s\tmax_rss\n", "s\th:m:s\tmax_rss\n12.5\t0:00"])
def test_a_benchmark_that_is_cut_off_tells_nothing(study: tuple[Path, list[dict[str, Any]]], content: str) -> None:
    top, jobs = study
    (top / "table.tsv").write_text(content)
    table = describe_artefacts(jobs, top)["artefacts"]["table.csv"]
    assert table["seconds"] is None and table["peak_memory_mib"] is None


def test_a_manifest_is_written_sorted_and_read_again(tmp_path: Path) -> None:
    content = {"folders": [], "config": {"b": "θ", "a": 1}, "artefacts": {}}
    write_manifest(content, tmp_path / "manifest.json")
    text = (tmp_path / "manifest.json").read_text(encoding="utf-8")
    assert text == '{\n "artefacts": {},\n "config": {\n  "a": 1,\n  "b": "θ"\n },\n "folders": []\n}\n'
    assert read_manifest(tmp_path / "manifest.json") == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no manifest there; finish the study first"),
        ('{"artefacts": {', "not a manifest: "),
        ("[1]", "not a manifest of this workflow; give the manifest.json of a finished study"),
        ('{"artefacts": {}}', "not a manifest of this workflow; give the manifest.json of a finished study"),
    ],
)
def test_what_is_no_manifest(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=re.escape(f"{path}: {message}")):
        read_manifest(path)


# --- comparing ---


@pytest.fixture
def finished(study: tuple[Path, list[dict[str, Any]]]) -> tuple[Path, dict[str, Any]]:
    top, jobs = study
    return top, describe_artefacts(jobs, top)


def other(own: dict[str, Any]) -> dict[str, Any]:
    """The manifest of an equal rebuild, whose times are others."""
    copy = json.loads(json.dumps(own))
    copy["artefacts"]["times.txt"]["sha256"] = "0" * 64
    return copy


def test_an_untouched_study_is_equal(finished: tuple[Path, dict[str, Any]]) -> None:
    top, own = finished
    assert compare(top, own, own) == Comparison(4, (), 0)
    assert compare(top, own, other(own)) == Comparison(3, (), 1)


def test_files_that_belong_to_nothing_do_not_count(finished: tuple[Path, dict[str, Any]]) -> None:
    top, own = finished
    (top / "left_over.csv").write_text("of an earlier sweep")
    (top / "models" / "base" / ".snakemake_timestamp").write_text("later")
    assert compare(top, own, own) == Comparison(4, (), 0)


@pytest.mark.parametrize(
    ("path", "rule", "equal"),
    [("models/base/weights", "train", 3), ("table.csv", "table", 3), ("times.txt", "time", 3)],
)
def test_a_changed_file_is_found(finished: tuple[Path, dict[str, Any]], path: str, rule: str, equal: int) -> None:
    top, own = finished
    content = bytearray((top / path).read_bytes())
    content[0] ^= 1
    (top / path).write_bytes(content)
    changed = Difference(path, "changed", rule)
    assert compare(top, own, own) == Comparison(equal, (changed,), 0)


def test_a_missing_and_a_new_file_are_found(finished: tuple[Path, dict[str, Any]]) -> None:
    top, own = finished
    (top / "models" / "base" / "config.json").unlink()
    # A second file of weights in the folder would be read with the model.
    (top / "models" / "base" / "more_weights").write_bytes(b"more")
    assert compare(top, own, own) == Comparison(
        3,
        (
            Difference("models/base/config.json", "missing", "train"),
            Difference("models/base/more_weights", "additional", "train"),
        ),
        0,
    )


def test_another_rebuild_is_compared_in_the_order_of_the_data_flow(finished: tuple[Path, dict[str, Any]]) -> None:
    top, own = finished
    reference = other(own)
    artefacts = reference["artefacts"]
    artefacts["table.csv"]["sha256"] = artefacts["models/base/weights"]["sha256"] = "0" * 64
    # It has one table more, and one less; of both the other study tells the rule.
    artefacts["another.csv"] = {**artefacts["table.csv"], "depth": 3}
    del artefacts["models/base/config.json"]
    found = compare(top, own, reference)
    assert found == Comparison(
        0,
        (
            Difference("models/base/config.json", "additional", "train"),
            Difference("models/base/weights", "different", "train"),
            Difference("table.csv", "different", "table"),
            Difference("another.csv", "missing", "table"),
        ),
        1,
    )


def test_what_two_studies_were_made_with() -> None:
    def made_with(**changes: Any) -> dict[str, Any]:
        return {"config": {"generation": {"seed": 0}, "models": {}}, "python": "3.11.7", "artefacts": {}} | changes

    assert compare_settings(made_with(), made_with(artefacts={"a": 1}, folders=["b"])) == []
    theirs = made_with(python="3.12.1", config={"generation": {"seed": 1}, "models": {"base": {"task": "x"}}})
    assert compare_settings(made_with(), theirs) == [
        "config.generation.seed: 0, in the manifest 1",
        "config.models: {}, in the manifest null",
        'config.models.base.task: null, in the manifest "x"',
        'python: "3.11.7", in the manifest "3.12.1"',
    ]


# --- what a study is made with ---

CONFIG: dict[str, Any] = {
    "study": "mine",
    "device": "cpu",
    "corpora": {
        "reviews": {"source": "csv", "seed": 3},
        "c4": {"source": "hub", "id": "allenai/c4", "revision": "main", "seed": 0},
    },
    "models": {
        "base": {"start": {"hub": "gpt2", "revision": "main"}},
        "judge": {"start": {"hub": "judge", "revision": "a" * 40}},
        "positive": {"start": {"model": "base"}, "training": {"precision": "bf16", "seed": 5}},
    },
    "generation": {"seed": 1, "precision": "fp16"},
    "scorers": {"perplexity": {"precision": "bf16"}, "distinct": {"n": [1]}},
}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text("numpy==0.1\n    # via -r requirements.in\nno-such-package[extra]==2.0\n    # via numpy\n")
    return path


def test_a_study_is_described(tmp_path: Path, lock: Path) -> None:
    import numpy

    hub_lock = tmp_path / "hub.lock.yaml"
    hub_lock.write_text(
        yaml.safe_dump({"models": {"gpt2": {"main": "b" * 40}, "unused": {"main": "c" * 40}}, "datasets": None})
    )
    config = CONFIG | {"hub_lock": str(hub_lock)}
    described = describe_study(config, tmp_path, lock)
    assert json.loads(json.dumps(described)) == described
    assert described["study"] == "mine" and described["config"] == config
    assert described["python"] == ".".join(map(str, sys.version_info[:3]))
    assert described["packages"] == {
        "numpy": {"locked": "0.1", "installed": numpy.__version__},
        "no-such-package": {"locked": "2.0", "installed": None},
    }
    assert described["device"] == "cpu"
    assert described["machine"].keys() == {"cpu", "cores", "system"} and all(described["machine"].values())
    assert described["precision"] == {
        "merging": "fp32",
        "training": {"positive": "bf16"},
        "generation": "fp16",
        "scoring": {"perplexity": "bf16"},
        "analyses": "fp32",
    }
    assert described["seeds"] == {
        "corpora.reviews.seed": 3,
        "corpora.c4.seed": 0,
        "models.positive.training.seed": 5,
        "generation.seed": 1,
    }
    assert described["hub"] == [
        {
            "kind": "dataset",
            "id": "allenai/c4",
            "revision": "main",
            "commit": None,
            "reason": "not in a lock file (key hub_lock)",
        },
        {"kind": "model", "id": "gpt2", "revision": "main", "commit": "b" * 40},
        {"kind": "model", "id": "judge", "revision": "a" * 40, "commit": "a" * 40},
    ]


def test_gpus_are_named_on_cuda(tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    config = CONFIG | {"device": "cuda"}
    machine = describe_study(config, tmp_path, lock)["machine"]
    assert machine["gpus"] is None and "no nvidia-smi" in machine["reason"]
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 570.1'\n")
    tool.chmod(0o755)
    assert describe_study(config, tmp_path, lock)["machine"]["gpus"] == ["NVIDIA H200, 570.1"]
    tool.write_text("#!/bin/sh\necho 'No devices were found'\nexit 6\n")
    machine = describe_study(config, tmp_path, lock)["machine"]
    assert machine["gpus"] is None and machine["reason"] == "No devices were found"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_revision_of_the_checkout(tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "checkout"
    root.mkdir()

    def source(folder: Path = root) -> dict[str, Any]:
        return describe_study(CONFIG, folder, lock)["source"]

    assert source()["revision"] is None and source()["dirty"] is None
    assert source()["reason"].startswith("no git checkout: fatal: not a git repository")

    git(root, "init", "--quiet")
    (root / "Snakefile").write_text("")
    (root / ".gitignore").write_text("results/\n")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "first")
    (root / "results").mkdir()
    (root / "results" / "table.csv").write_text("1")
    assert source() == {"revision": git(root, "rev-parse", "HEAD"), "dirty": False, "changed": []}

    (root / "Snakefile").write_text("# changed\n")
    (root / "mine.yaml").write_text("study: mine\n")
    assert source() == {
        "revision": git(root, "rev-parse", "HEAD"),
        "dirty": True,
        "changed": ["Snakefile", "mine.yaml"],
    }

    # A copy within another repository has nothing to do with it.
    copy = root / "results" / "copy"
    copy.mkdir()
    (copy / "Snakefile").write_text("")
    assert source(copy)["revision"] is None and "did not match any file" in source(copy)["reason"]

    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert source()["revision"] is None and "No such file or directory: 'git'" in source()["reason"]


def test_of_an_installed_package_pip_knows_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("")
    origin = {"url": "https://example.org/own", "vcs_info": {"vcs": "git", "commit_id": "a" * 40}}
    found = {"text": json.dumps(origin)}
    distribution = type("Distribution", (), {"read_text": lambda self, name: found["text"]})
    monkeypatch.setattr("lm_interpolation.jobs.manifest.FROM_SOURCE", False)
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: distribution())
    source = describe_study(CONFIG, tmp_path, lock)["source"]
    assert source == {"revision": "a" * 40, "dirty": False, "changed": []}
    for found["text"] in (None, json.dumps({"url": "file:///own", "dir_info": {}})):
        assert describe_study(CONFIG, tmp_path, lock)["source"]["revision"] is None


# --- the workflow ---

SMALL = {
    "study": "small",
    "corpora": {"unused": {"source": "synthetic", "kind": "general", "counts": {"train": 9, "dev": 3, "test": 3}}},
    "models": {
        name: {"task": "language-model", "start": {"directory": f"imported/{name}"}} for name in ("base", "other")
    },
    "prompts": {"few": {"source": "list", "texts": ["the film", "the plot was"]}},
    "generation": {"top_p": 0.9, "max_new_tokens": 4, "samples": 2},
    "scorers": {"distinct": {"kind": "distinct", "n": [1]}},
    "sweeps": {
        "line": {
            "origin": {"base": 1},
            "directions": {"alpha": {"other": 1, "base": -1}},
            "grid": {"alpha": [0, 0.5]},
            "prompts": ["few"],
        }
    },
    "tables": {"resamples": 100},
}


@pytest.fixture(scope="module")
def rebuilds(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> tuple[Path, Path]:
    """Two folders in which the same small study was built, each on its own."""
    folders = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    for folder in folders:
        copy_sources(folder)
        for name in SMALL["models"]:
            shutil.copytree(tiny_gpt2, folder / "imported" / name)
        (folder / "small.yaml").write_text(yaml.safe_dump(SMALL, sort_keys=False))
        done = run(folder, "--configfile", "small.yaml")
        assert done.returncode == 0, done.stderr[-3000:]
    return folders


def verify(folder: Path, manifest_path: Path | None = None) -> tuple[int, str]:
    """Exit status and console output of ``snakemake verify``."""
    options = ["--config", f"manifest={manifest_path}"] if manifest_path else []
    done = run(folder, "--configfile", "small.yaml", *options, "--", "verify")
    return done.returncode, done.stdout + done.stderr


@pytest.mark.snakemake
@pytest.mark.slow
def test_make_verify_says_the_same_without_a_job(rebuilds: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "lm_interpolation", "verify", "--cores", "1", "--configfile", "small.yaml"]
    done = subprocess.run(command, cwd=rebuilds[0], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (verdict,) = [line for line in done.stderr.splitlines() if "artefacts equal" in line]
    assert verdict in verify(rebuilds[0])[1].splitlines()


def errors(console: str) -> list[str]:
    return [line for line in console.splitlines() if line.startswith("error: ")]


@pytest.mark.snakemake
@pytest.mark.slow
def test_two_rebuilds_are_equal(rebuilds: tuple[Path, Path]) -> None:
    one, two = rebuilds
    manifests = [read_manifest(folder / "results" / "small" / "manifest.json") for folder in rebuilds]
    artefacts = manifests[0]["artefacts"]
    assert artefacts.keys() == manifests[1]["artefacts"].keys()
    assert {path: entry["rule"] for path, entry in artefacts.items() if not path.startswith("models/")} == {
        "prompts/few.parquet": "prompts",
        "leaks.json": "count_leaks",
        "texts/weights/few/base=1.parquet": "generate",
        "texts/weights/few/base=0.5+other=0.5.parquet": "generate",
        "scores/few/line/distinct.parquet": "score",
        "tables/line.csv": "table",
        "explorer.html": "write_explorer",
        "tables/line.md": "describe_table",
        "tables/line.html": "describe_table",
        "overview.md": "overview",
        "rounding/base.json": "measure_rounding",
        "rounding/other.json": "measure_rounding",
        "summary.txt": "summary",
    }
    assert manifests[0]["folders"] == ["models/base", "models/other"]
    assert [path for path, entry in artefacts.items() if not entry["reproducible"]] == ["summary.txt"]
    assert all(entry["seconds"] > 0 for entry in artefacts.values())
    assert manifests[0]["source"]["revision"] is None

    status, console = verify(one)
    assert status == 0 and f"{len(artefacts)} artefacts equal\n" in console
    assert "Study small" not in console, "the summary is of a run"
    status, console = verify(one, two / "results" / "small" / "manifest.json")
    assert status == 0
    assert f"{len(artefacts) - 1} artefacts equal (1 with times or memory were not compared)\n" in console


@pytest.mark.snakemake
@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["models/other/model.safetensors", "prompts/few.parquet", "tables/line.csv", "summary.txt"]
)
def test_a_flipped_bit_is_found(rebuilds: tuple[Path, Path], path: str) -> None:
    one, two = rebuilds
    file = one / "results" / "small" / path
    written = (one / "results" / "small" / "manifest.json").stat().st_mtime_ns
    content = file.read_bytes()
    try:
        file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        status, console = verify(one)
        assert status == 1
        (error,) = errors(console)
        assert error.startswith(f"error: results/small/{path} (rule ")
        assert "has changed since the study was finished, the first in the order of the data flow" in error
        assert ": 1 changed, 24 equal; all differences are listed in results/small/logs/verify.log" in error
        if path != "summary.txt":
            status, console = verify(one, two / "results" / "small" / "manifest.json")
            assert status == 1 and errors(console)[0].startswith(f"error: results/small/{path} (rule ")
        # Nothing was made again.
        assert file.read_bytes() != content
        assert (one / "results" / "small" / "manifest.json").stat().st_mtime_ns == written
    finally:
        file.write_bytes(content)


@pytest.mark.snakemake
@pytest.mark.slow
def test_verify_needs_a_finished_study(rebuilds: tuple[Path, Path], tmp_path: Path) -> None:
    one, _ = rebuilds
    status, console = verify(one, tmp_path / "none.json")
    assert status == 1
    assert errors(console) == [
        f"error: {tmp_path}/none.json: no manifest there; finish the study first (snakemake without a target), or "
        "correct the path"
    ]


@pytest.mark.snakemake
@pytest.mark.slow
def test_the_manifest_follows_what_is_made(rebuilds: tuple[Path, Path], edit_small: Callable) -> None:
    one, _ = rebuilds

    def planned() -> set[str]:
        done = run(one, "--configfile", "small.yaml", "--dry-run", "--quiet", "rules")
        assert done.returncode == 0, done.stderr
        table = re.search(r"^-+  -+\n(.*?)^total ", done.stdout + done.stderr, re.MULTILINE | re.DOTALL)
        return {line.split()[0] for line in table[1].splitlines()} - {"default"} if table else set()

    assert planned() == set()
    edit_small(compute={"batch_size": {"generate": 2}})
    assert planned() == set()
    edit_small(tables={"resamples": 101})
    assert planned() == {"table", "describe_table", "overview", "write_explorer", "summary", "manifest"}


@pytest.fixture
def edit_small(rebuilds: tuple[Path, Path]) -> Any:
    path = rebuilds[0] / "small.yaml"
    original = path.read_text()
    yield lambda **changes: path.write_text(yaml.safe_dump(SMALL | changes, sort_keys=False))
    path.write_text(original)


def test_hashing_reads_each_file_once(
    study: tuple[Path, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    top, jobs = study
    opened: list[str] = []
    hashed = manifest.sha256
    monkeypatch.setattr(manifest, "sha256", lambda file: opened.append(file.name) or hashed(file))
    compare(top, own := describe_artefacts(jobs, top), own)
    assert sorted(opened) == sorted(2 * ["config.json", "weights", "table.csv", "times.txt"])

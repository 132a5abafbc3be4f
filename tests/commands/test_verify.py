"""``make verify``: the target ``verify`` without a job, for read-only archives."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from benchmarks.dag import copy_workflow
from lm_interpolation.jobs.manifest import describe_artefacts, describe_study, write_manifest
from lm_interpolation.study.study import Study

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "tiny.yaml"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Path]:
    """A folder with two results of tests/tiny.yaml and a manifest of them, in which nobody but root may write."""
    copy_workflow(tmp_path)
    shutil.copy(TINY, tmp_path / "mine.yaml")
    study = Study(yaml.safe_load(TINY.read_text()))
    results = [tmp_path / study.path("claims.md"), tmp_path / study.path("tables", "theta1.csv")]
    for path in results:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{path.name}\n")
    top = tmp_path / study.path()
    jobs = [
        {"outputs": [str(path)], "rule": rule, "depth": depth, "reproducible": True, "benchmark": None}
        for depth, (path, rule) in enumerate(zip(results, ["verdicts", "table"], strict=True))
    ]
    made = describe_study(study.config, tmp_path, tmp_path / "requirements.lock") | describe_artefacts(jobs, top)
    write_manifest(made, top / "manifest.json")
    writable = {path: path.stat().st_mode for path in [tmp_path, *tmp_path.rglob("*")] if not path.is_symlink()}
    for path, mode in writable.items():
        path.chmod(mode & ~0o222)
    yield tmp_path
    for path, mode in writable.items():
        path.chmod(mode)


def verify(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-m", "lm_interpolation", "verify", "--cores", "1", *arguments]
    before = contents(folder)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert contents(folder) == before
    assert "Traceback" not in done.stderr
    return done


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of everything."""
    found = ((path, path.lstat()) for path in folder.rglob("*"))
    return {str(path): (status.st_size, status.st_mtime_ns) for path, status in found}


def last(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1]


def test_an_archive_is_verified_and_nothing_is_written(archive: Path) -> None:
    done = verify(archive, "--configfile", "mine.yaml")
    assert (done.returncode, done.stdout, last(done)) == (0, "", "2 artefacts equal")


@pytest.mark.parametrize("module", ["snakemake", "lm_interpolation adopt"])
def test_where_notes_cannot_be_written_it_is_told_in_one_line(archive: Path, module: str) -> None:
    """Root may write everywhere, but not below a file."""
    (archive / ".snakemake").write_text("in the way")
    record = archive / "results/tiny/made/tables/theta1.csv.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    command = [sys.executable, "-B", "-m", *module.split(), "--cores", "1", "--configfile", "mine.yaml", "--dry-run"]
    done = subprocess.run(command, cwd=archive, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    told = r"^(error: )?\S+/\.snakemake: File exists; Snakemake keeps notes there: work in a copy that you can write to"
    assert re.search(told, done.stdout + done.stderr, re.MULTILINE)
    # Which verify does not need.
    assert verify(archive, "--configfile", "mine.yaml").returncode == 0


def test_what_has_changed_is_listed_and_the_first_is_told(archive: Path) -> None:
    table = archive / "results/tiny/tables/theta1.csv"
    table.chmod(0o644)
    table.write_text("other\n")
    done = verify(archive, "--configfile", "mine.yaml")
    assert done.returncode == 1
    assert done.stdout == "tables/theta1.csv has changed since the study was finished (rule table)\n"
    assert last(done).startswith("error: results/tiny/tables/theta1.csv (rule table) has changed since the study was ")
    assert last(done).endswith("1 changed, 1 equal; all differences are listed in the lines above")


def test_it_compares_with_another_rebuild(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "manifest.json"
    manifest = json.loads((archive / "results/tiny/manifest.json").read_text())
    manifest["artefacts"]["claims.md"]["sha256"] = "0" * 64
    manifest["config"]["generation"]["seed"] = 99
    other.write_text(json.dumps(manifest))
    done = verify(archive, "--configfile", "mine.yaml", "--config", f"manifest={os.path.relpath(other, archive)}")
    assert done.returncode == 1 and done.stdout == "claims.md is different (rule verdicts)\n"
    assert "  config.generation.seed: 0, in the manifest 99\n" in done.stderr


def test_without_records_the_manifest_tells_the_settings(archive: Path) -> None:
    done = verify(archive, "--configfile", "mine.yaml", "--config", 'generation={"seed": 1}')
    assert done.returncode == 1
    assert "  config.generation.seed: 1, in the manifest 0\n" in done.stderr
    assert last(done).startswith(
        "error: results/tiny/manifest.json: the study was made with other settings than those here "
        "(config.generation.seed is the first of 1), and no record beside results/tiny/"
    )
    # Where and how fast it runs changes no result; nor does what it is compared with.
    aside = ["compute={threads: {train: 1}}", "device=cpu", "quick=[]", "manifest=results/tiny/manifest.json"]
    aside.append('models={"base": {"training": {"save_steps": 7}}}')
    done = verify(archive, "--configfile", "mine.yaml", "--config", *aside)
    assert (done.returncode, last(done)) == (0, "2 artefacts equal")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("generation: {seed: 1, seed: 2}\n", "line 1: key 'seed' is there already, in line 1; remove one"),
        ("__use_yte__: true\nstudy: ?open('ran', 'w').name\n", "__use_yte__ lets a configuration run Python code"),
    ],
)
def test_configs_are_read_strictly_before_anything_else(archive: Path, text: str, told: str) -> None:
    (archive / "other.yaml").write_text(text)
    # Nothing has run: it finds the folder as it was.
    done = verify(archive, "--configfile", "mine.yaml", "other.yaml")
    assert done.returncode == 1 and last(done).startswith(f"error: other.yaml: {told}")


def test_adopt_tells_of_mistakes_in_one_line(archive: Path) -> None:
    command = [sys.executable, "-B", "-m", "lm_interpolation", "adopt", "--nonsense"]
    done = subprocess.run(command, cwd=archive, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: unrecognized arguments: --nonsense\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--configfile", "none.yaml"), "error: none.yaml: "),
        (
            ("--configfile", "mine.yaml", "--config", "manifest=none.json"),
            "error: none.json: no manifest there; finish",
        ),
        (("--configfile", "mine.yaml", "--config", "study=a/b"), "study"),
        (("--nonsense",), "error: unrecognized arguments: --nonsense"),
    ],
)
def test_mistakes_are_told_in_one_line(archive: Path, arguments: tuple[str, ...], told: str) -> None:
    done = verify(archive, *arguments)
    assert done.returncode == 1 and told in last(done)

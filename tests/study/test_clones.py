"""The workflow in folders of any name, and beside other packages called ``workflow``: real jobs of Snakemake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.dag import copy_workflow
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study import launch

ROOT = Path(__file__).parents[2]
TARGET = Path("results/tiny/corpora/general/train.parquet")


def clone(folder: Path) -> Path:
    """A copy of the workflow with its environment in it, as ``make`` has it, so that the path of Python is as odd."""
    copy_workflow(folder)
    (folder / "tiny.yaml").write_bytes((ROOT / "tests" / "tiny.yaml").read_bytes())
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(folder / ".venv" / "bin" / "python"), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def build(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    arguments = ("-m", "snakemake", "--cores", "1", "--configfile", "tiny.yaml", *arguments, "--", str(TARGET))
    return run(folder, *arguments, **environment)


@pytest.mark.parametrize("name", ["my study", """it's a "study" of $HOME\\n; * & (ü) #"""])
def test_jobs_run_whatever_their_folder_is_called(name: str, tmp_path: Path) -> None:
    folder = clone(tmp_path / name)
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / TARGET).is_file()


def test_a_name_that_snakemake_cannot_do_with_is_told_before_any_job(tmp_path: Path) -> None:
    folder = clone(tmp_path / "a{corpus}b")
    done = build(folder, "--dry-run")
    output = done.stdout + done.stderr
    said = [line for line in output.splitlines() if "wildcard" in line]
    assert done.returncode == 1 and "Traceback" not in output
    assert said == [
        f"the folder {str(folder)!r} has '{{' in its name: Snakemake takes what is in braces for a wildcard; move or "
        "rename it"
    ]


def test_every_barred_character_is_told() -> None:
    for character in ("{", "}", ":"):
        with pytest.raises(UserError, match="in its name"):
            launch.prepare(f"/home/a{character}b")


def test_preparing_twice_is_preparing_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "my python"
    python.touch()
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(launch, "SEARCH_PATH", Path("/mine"))
    for folder in ("/mine", "git+file:///mine/workflow@main"):
        monkeypatch.setenv("PYTHONPATH", "/other:/mine")
        for _ in range(2):
            launch.prepare(folder)
        assert sys.executable == f"'{python}'"
        assert os.environ["PYTHONPATH"] == "/mine:/other"


def test_an_installed_package_is_not_put_before_the_modules_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    monkeypatch.setattr(launch, "FROM_SOURCE", False)
    monkeypatch.setenv("PYTHONPATH", "/other")
    launch.prepare("/mine")
    assert os.environ["PYTHONPATH"] == "/other"


@pytest.mark.parametrize("file", ["workflow/__init__.py", "workflow.py"])
def test_our_package_wins_over_others_of_its_name(file: str, tmp_path: Path) -> None:
    folder, other = clone(tmp_path / "mine"), tmp_path / "other"
    (other / file).parent.mkdir(parents=True)
    (other / file).write_text("raise SystemExit('another package')\n")
    # Ours is on the path already, but behind the other.
    for path in (str(other), f"{other}:{folder}"):
        (folder / TARGET).unlink(missing_ok=True)
        done = build(folder, PYTHONPATH=path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (folder / TARGET).is_file()
    done = run(folder, "-m", "lm_interpolation", "check", "--syntax", "tiny.yaml", PYTHONPATH=str(other))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")

"""The package: one version, the dependencies of requirements.in, all files that a workflow needs, one command line."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import lm_interpolation
from lm_interpolation import __main__ as command_line
from tests.study.test_environment import DEVELOPMENT, WANTED, requirements

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = lm_interpolation.__version__


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lm_interpolation", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_there_is_one_version() -> None:
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "src/lm_interpolation/__init__.py"
    (needed,) = re.findall(r'^VERSION = "(.*)"$', (ROOT / "workflow" / "Snakefile").read_text(), re.MULTILINE)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    assert needed == cited == VERSION


def test_dependencies_are_those_of_requirements_in() -> None:
    runtime, mark, _ = WANTED.partition(DEVELOPMENT)
    assert mark and requirements("\n".join(PROJECT["project"]["dependencies"])) == requirements(runtime)


@pytest.mark.slow
def test_a_wheel_holds_all_that_a_workflow_needs(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="builds a wheel: pip install hatchling")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob(f"lm_interpolation-{VERSION}-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    wanted = {file for file in tracked if file.startswith(("workflow/", "envs/", "profiles/", "requirements.lock"))}
    wanted |= {file.removeprefix("src/lm_interpolation/") for file in tracked if file.startswith("src/")}
    assert {f"lm_interpolation/{file}" for file in wanted} <= held
    assert not [name for name in held if "__pycache__" in name]


def test_the_command_line_tells_what_there_is() -> None:
    assert run("--version").stdout == f"lm-interpolation {VERSION}\n"
    assert run().stdout == run("--help").stdout
    for program in command_line.PROGRAMS:
        assert f"  {program}" in run("--help").stdout
    wrong = run("steel")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: there is no program 'steel'; choose one of data, steer, export")


@pytest.mark.parametrize("program", command_line.PROGRAMS)
def test_every_program_has_a_help(program: str) -> None:
    done = run(program, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: lm-interpolation {program} ") and "directory" in done.stdout


@pytest.mark.parametrize("program", ["report", "verify", "resume", "adopt"])
def test_mistakes_in_arguments_of_snakemake_are_one_line(program: str, tmp_path: Path) -> None:
    for arguments, words in ((["--no-such"], "--no-such"), (["--directory", "nowhere"], "nowhere: no such folder")):
        done = run(program, *arguments, folder=tmp_path)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and words in done.stderr


def test_check_looks_at_a_whole_study(tmp_path: Path) -> None:
    """From any folder, files laid over each other, and the paths in them only if it is asked to."""
    done = run("check", "--directory", str(ROOT / ".test"), folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "config/config.yaml: study test, 3 models, 3 points\n",
        "",
    )
    study = tmp_path / "mine.yaml"
    own = {"extends": str(ROOT / ".test" / "config" / "config.yaml"), "study": "mine"}
    own["models"] = {"base": {"start": {"directory": "nowhere", "architecture": None, "tokenizer": None}}}
    own["models"]["base"] |= {"data": None, "training": None}
    study.write_text(yaml.safe_dump(own))
    assert run("check", "mine.yaml", folder=tmp_path).returncode == 0
    files = run("check", "mine.yaml", "--files", folder=tmp_path)
    assert files.returncode == 1 and files.stderr.startswith(
        "error: mine.yaml: models.base.start.directory: nowhere: no"
    )
    (tmp_path / "over.yaml").write_text("sweeps: {theta1: {origin: {negativ: 1}}}\n")
    wrong = run("check", "mine.yaml", "over.yaml", folder=tmp_path)
    assert wrong.returncode == 1 and "negativ" in wrong.stderr and wrong.stderr.count("\n") == 1
    assert run("check", "--syntax", "over.yaml", folder=tmp_path).returncode == 0
    assert run("check", "--syntax", "--files", folder=tmp_path).returncode == 2
    missing = run("check", folder=tmp_path)
    assert missing.returncode == 1 and missing.stderr.startswith("error: no config/config.yaml in")

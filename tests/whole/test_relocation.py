"""The workflow run from elsewhere: another folder, a module of another workflow, a deployment, an installed package.

Each test runs the study in .test/ to the end and gets the same numbers.
"""

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

ROOT = Path(__file__).parents[2]
STUDY = ROOT / ".test" / "config" / "config.yaml"

pytestmark = [pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

IMPORTER = """
configfile: "config/config.yaml"

module lm:
    snakefile: {snakefile}
    config: config["steering"]
    {further}

use rule * from lm as lm_*

rule all:
    default_target: True
    input:
        rules.lm_all.input,
        "mine.csv",

rule mine:
    input: "{results}/tables/theta1.csv"
    output: "mine.csv"
    shell: "cp {{input}} {{output}}"
"""


def snakemake(folder: Path, *arguments: str, path: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **more}
    environment["PYTHONPATH"] = os.environ["PYTHONPATH"] if path is None else path
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    # In a dry run errors are on stdout.
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(command, cwd=folder, env=environment, text=True, check=False, **streams)


def build(folder: Path, *arguments: str, **environment: str) -> None:
    """Run it, and see that nothing is left to do."""
    for further, end in (((), "steps (100%) done"), (("-n",), "Nothing to be done")):
        done = snakemake(folder, *arguments, *further, **environment)
        assert done.returncode == 0 and end in done.stdout, done.stdout[-6000:]


def numbers(results: Path) -> tuple[str, ...]:
    """What is the same wherever the study was built."""
    texts = [path.read_bytes().hex() for path in sorted((results / "texts").rglob("*.parquet"))]
    assert len(texts) == 3 and (results / "explorer.html").is_file() and (results / "manifest.json").is_file()
    return (*texts, (results / "tables" / "theta1.csv").read_text(), (results / "figures" / "line.md").read_text())


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone, with the study built in it by a bare ``snakemake``."""
    folder = tmp_path_factory.mktemp("clone")
    copy_workflow(folder)
    shutil.copytree(ROOT / ".test" / "config", folder / "config")
    build(folder, path="")
    return folder


@pytest.fixture(scope="module")
def expected(clone: Path) -> tuple[str, ...]:
    return numbers(clone / "results" / "test")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A git repository of the workflow, as it lies here, without its package."""
    folder = tmp_path_factory.mktemp("git") / "workflow-of-others"
    copy_workflow(folder)
    shutil.rmtree(folder / "src")
    name = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=folder, env={**os.environ, **name}, check=True)
    yield folder


def importer(folder: Path, snakefile: str, further: str = "", results: str = "results/test") -> Path:
    """A workflow that has the study under a key of its config, and the one it extends beside the file."""
    (folder / "config").mkdir(parents=True)
    shutil.copy(STUDY, folder / "config" / "base.yaml")
    config = {"steering": {"extends": "base.yaml", "tables": {"resamples": 2000}}}
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    text = IMPORTER.format(snakefile=snakefile, further=further, results=results)
    (folder / "Snakefile").write_text(text)
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    return folder


# --- in a clone ---


def test_a_bare_snakemake_plans_the_whole_study(tmp_path: Path) -> None:
    """``default_target`` does not survive an include: without one of its own the root would say nothing to be done."""
    copy_workflow(tmp_path)
    shutil.copytree(ROOT / ".test" / "config", tmp_path / "config")
    counts = {}
    for name, arguments in (("bare", ()), ("all", ("all",)), ("inner", ("-s", "workflow/Snakefile"))):
        done = snakemake(tmp_path, "-n", "--quiet", "rules", *arguments)
        assert done.returncode == 0, done.stdout
        counts[name] = int(re.findall(r"^total +(\d+)$", done.stdout, re.MULTILINE)[0])
    assert set(counts.values()) == {24}, counts


@pytest.mark.slow
def test_a_part_of_a_study_has_a_report(clone: Path, tmp_path: Path) -> None:
    page = tmp_path / "part.html"
    done = snakemake(clone, "--report", str(page), "results/test/figures/line.png", path="")
    assert done.returncode == 0, done.stdout
    assert "line.png" in page.read_text(encoding="utf-8")


# --- another working directory ---


@pytest.mark.slow
def test_with_a_directory_elsewhere(clone: Path, expected: tuple[str, ...], tmp_path: Path) -> None:
    """The config lies in a third folder, and extends a file beside it; results lie in the working directory."""
    place, work = tmp_path / "place", tmp_path / "work"
    (place / "studies").mkdir(parents=True)
    shutil.copy(STUDY, place / "studies" / "base.yaml")
    (place / "studies" / "own.yaml").write_text("extends: base.yaml\n")
    arguments = ("-s", str(clone / "Snakefile"), "--directory", str(work), "--configfile", "studies/own.yaml")
    build(place, *arguments, path="")
    assert numbers(work / "results" / "test") == expected
    assert sorted(path.name for path in place.iterdir()) == ["studies"]
    for program, start, words in (
        ("verify", "", "artefacts equal"),
        ("report", "results/test/report.html", "MB"),
        ("adopt", "results/test", "results are what"),
    ):
        command = [sys.executable, "-m", "lm_interpolation", program, "--cores", "1", *arguments]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert start in done.stdout and words in done.stdout + done.stderr
    assert (work / "results" / "test" / "report.html").is_file()


def test_the_old_spelling_of_extends_is_named_with_the_new(tmp_path: Path) -> None:
    copy_workflow(tmp_path)
    (tmp_path / "config").mkdir()
    shutil.copy(STUDY, tmp_path / "config" / "base.yaml")
    (tmp_path / "config" / "own.yaml").write_text("extends: config/base.yaml\n")
    done = snakemake(tmp_path, "-n", "--configfile", "config/own.yaml", path="")
    assert done.returncode == 1 and "Traceback" not in done.stdout
    line = "config/own.yaml: extends is relative to this file, not to the working directory: write extends: base.yaml"
    assert line in done.stdout.splitlines()


def test_without_a_config_the_option_is_named(clone: Path, tmp_path: Path) -> None:
    done = snakemake(tmp_path, "-n", "-s", str(clone / "Snakefile"), path="")
    assert done.returncode == 1
    assert (
        f"no config/config.yaml in {tmp_path}; name the file of a study with --configfile" in done.stdout.splitlines()
    )


# --- a module ---


@pytest.mark.slow
def test_as_a_module_from_a_folder(clone: Path, expected: tuple[str, ...], tmp_path: Path) -> None:
    """With a prefix, which moves the results and nothing else; beside a package that is called like ours."""
    other = tmp_path / "other"
    for name in ("workflow", "lm_interpolation"):
        (other / name).mkdir(parents=True)
        (other / name / "__init__.py").write_text("raise SystemExit('another package')\n")
    top = "lm/results/test"
    folder = importer(tmp_path / "own", f'"{clone}/workflow/Snakefile"', 'prefix: "lm"', results=top)
    build(folder, path=str(other))
    assert numbers(folder / top) == expected
    assert (folder / "mine.csv").read_text() == (folder / top / "tables" / "theta1.csv").read_text()
    assert not (folder / "results").exists()
    done = snakemake(folder, "lm_verify", path=str(other))
    assert done.returncode == 0 and "artefacts equal" in done.stdout, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["git+file", "github"])
def test_as_a_module_from_git(kind: str, repository: Path, expected: tuple[str, ...], tmp_path: Path) -> None:
    """The package is installed, the workflow is not; github(...) asks a repository of this machine."""
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[url "file://{repository}"]\n    insteadOf = https://github.com/own/steering\n[safe]\n    directory = *\n'
    )
    snakefile = {
        "git+file": f'"git+file://{repository}/workflow/Snakefile@main"',
        "github": 'github("own/steering", path="workflow/Snakefile", branch="main")',
    }[kind]
    folder = importer(tmp_path / "own", snakefile)
    build(folder, GIT_CONFIG_GLOBAL=str(settings), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert numbers(folder / "results" / "test") == expected


def test_a_module_without_the_package_says_so(repository: Path, tmp_path: Path) -> None:
    folder = importer(tmp_path / "own", f'"git+file://{repository}/workflow/Snakefile@main"')
    other = tmp_path / "other" / "lm_interpolation"
    other.mkdir(parents=True)
    for text, found in (('__version__ = "0.0.9"\n', "0.0.9"), ("", "none")):
        (other / "__init__.py").write_text(text)
        done = snakemake(folder, "-n", path=str(other.parent))
        assert done.returncode == 1 and "Traceback" not in done.stdout
        (line,) = [line for line in done.stdout.splitlines() if "needs the package" in line]
        assert re.fullmatch(
            rf".*: needs the package lm-interpolation \S+, found {found}; install that version with pip into the "
            "environment of Snakemake",
            line,
        )


def test_other_triggers_are_named(clone: Path, repository: Path, tmp_path: Path) -> None:
    folder = importer(tmp_path / "own", f'"{clone}/workflow/Snakefile"')
    done = snakemake(folder, "-n", "--workflow-profile", "none")
    assert done.returncode == 0 and re.search(
        "^jobs run again for code, input, .*; this workflow needs", done.stdout, re.M
    )
    assert "jobs run again for" not in snakemake(folder, "-n").stdout
    git = importer(tmp_path / "git", f'"git+file://{repository}/workflow/Snakefile@main"')
    done = snakemake(git, "-n", "--workflow-profile", "none")
    assert done.returncode == 1 and "Traceback" not in done.stdout
    assert "Snakemake cannot look for changed code in a module of git+file" in done.stdout


def test_a_module_without_a_study_says_so(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(
        f'module lm:\n    snakefile: "{clone}/workflow/Snakefile"\n\nuse rule * from lm\n'
    )
    done = snakemake(tmp_path, "-n")
    assert done.returncode == 1 and "Traceback" not in done.stdout
    assert "module lm: no study; add config: config, or the part of it that declares one" in done.stdout


@pytest.mark.slow
def test_deployed_by_snakedeploy(repository: Path, expected: tuple[str, ...], tmp_path: Path) -> None:
    """What ``snakedeploy deploy-workflow`` writes: config and profiles copied, all else from git."""
    for name in ("config", "profiles"):
        shutil.copytree(ROOT / (name if name == "profiles" else ".test/config"), tmp_path / name)
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "Snakefile").write_text(
        'configfile: "config/config.yaml"\n\nmodule lm_interpolation:\n    snakefile:\n'
        f'        "git+file://{repository}/workflow/Snakefile@main"\n    config:\n        config\n\n'
        "use rule * from lm_interpolation\n"
    )
    build(tmp_path)
    assert numbers(tmp_path / "results" / "test") == expected

"""The documents name files, targets and stages that exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lm_interpolation.study.config import declare
from lm_interpolation.study.extending import extended
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "config" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(path):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_make_exist(path):
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^ {4,}|`)make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= made


def test_experiments_of_the_readme_are_those_of_the_configuration():
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## The experiments")[1].split("\n## ")[0]
    named = set(
        re.findall(r"`([\w-]+)`", "\n".join(row.split("|")[1] for row in table.splitlines() if row.startswith("|")))
    )
    files = [ROOT / "config" / name for name in ("experiments.yaml", "methods.yaml", "regions-demo.yaml")]
    figures = [name for file in files for name in yaml.safe_load(file.read_text(encoding="utf-8"))["figures"]]
    assert named == {"claims", "explorer", "quick", *figures}


def test_claims_of_the_papers_are_declared():
    rows = [
        row.split("|") for row in (ROOT / "docs" / "papers.md").read_text(encoding="utf-8").splitlines() if "|" in row
    ]
    named = {name for row in rows for name in re.findall(r"`([a-z][\w-]+)`", row[3])}
    files = [
        ROOT / "config" / f"{name}.yaml"
        for name in ("experiments", "methods", "config", "regions-claims", "regions-demo")
    ]
    assert len(named) > 40
    assert named <= {name for file in files for name in yaml.safe_load(file.read_text(encoding="utf-8"))["claims"]}


def test_the_study_of_the_walk_through_holds():
    """Its blocks, put together as the text says, and the rest as in the smallest study."""
    text = (ROOT / "docs" / "own-study.md").read_text(encoding="utf-8")
    sections: dict[str, str] = {}
    for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for key, body in re.findall(r"^(\w+):\n((?: .*\n)+)", block, re.MULTILINE):
            sections[key] = sections.get(key, "") + body
    own = yaml.safe_load("".join(f"{key}:\n{body}" for key, body in sections.items()))
    rest = yaml.safe_load((ROOT / "config" / "minimal.yaml").read_text(encoding="utf-8"))
    assert {"corpora", "models", "scorers", "sweeps", "figures"} == set(own)
    declared, resolved, left_out = declare({**{key: rest[key] for key in ("study", "prompts", "generation")}, **own})
    assert not left_out
    assert set(resolved["models"]) == {"base", "review", "encyclopaedia", "genre-judge"}
    assert set(declared.built_sweeps()) == {"line"}


def test_the_walk_through_of_a_kind_shows_its_files():
    """Each block of CONTRIBUTING.md that names a file is that file."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```\w+\n# (\S+/\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert len(blocks) == 6
    for path, block in blocks.items():
        assert block == (ROOT / path).read_text(encoding="utf-8"), path


def test_the_picture_of_the_stages_shows_the_rules():
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--rulegraph", "dot", "fig3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    picture = (ROOT / "docs" / "stages.svg").read_text(encoding="utf-8")
    # Made by: snakemake --rulegraph dot fig3 | tred | dot -Tsvg > docs/stages.svg
    assert set(re.findall(r">(\w+)</text>", picture)) == set(re.findall(r'label = "(\w+)"', done.stdout))


@pytest.mark.parametrize(
    "example",
    re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "examples.md").read_text(encoding="utf-8"), re.M | re.S),
    ids=lambda example: next(iter(yaml.safe_load(example)["claims"])),
)
def test_the_examples_fit_the_embedded_study(example, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    file = tmp_path / "example.yaml"
    file.write_text(example, encoding="utf-8")
    study = Study(extended(read_study(["config/config.yaml", file]))[0])
    own = yaml.safe_load(example)
    for section, entries in own.items():
        assert set(entries) <= set(study.config[section])
    assert not {name for name in study.left_out if name.split(".")[-1] in own["claims"]}

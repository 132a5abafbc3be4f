"""study/downloads.py: what can be downloaded, and what a study lacks of it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config import declare
from lm_interpolation.study.downloads import (
    DOWNLOADS,
    Catalogue,
    chosen,
    downloadable,
    lacking,
    make_data,
    read_catalogue,
)
from lm_interpolation.study.local_models import check_files
from lm_interpolation.study.opening import read_study
from tests.reading import study_with

ROOT = Path(__file__).parents[2]
URL = "https://example.org/a.zip"
ENTRY = {"about": "Mine", "licence": "MIT", "files": [{"url": URL, "path": "data/a.txt"}]}
SST = {"source": "sst", "path": "data/sst"}
LINES = {"source": "lines", "files": {"train": "data/./a.txt"}, "fractions": {"dev": 0.1, "test": 0.1}}


def write(path: Path, **downloads: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump({"downloads": downloads}, sort_keys=False))
    return path


def with_file(**changes: Any) -> dict[str, Any]:
    """The entry with keys of its file replaced, or removed by None."""
    file = {key: value for key, value in {**ENTRY["files"][0], **changes}.items() if value is not None}
    return {**ENTRY, "files": [file]}


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({**ENTRY, "license": "MIT"}, "unknown key 'license' at downloads.mine; did you mean 'licence'?"),
        ({"about": "Mine", "files": ENTRY["files"]}, "key 'licence' is missing at downloads.mine; add it"),
        ({**ENTRY, "files": []}, "downloads.mine.files is empty; give at least one"),
        (with_file(url="ftp://example.org/a.zip"), 'downloads.mine.files.0.url is "ftp://example.org/a.zip"; give the'),
        (with_file(url="file:///etc/passwd"), 'downloads.mine.files.0.url is "file:///etc/passwd"; give the address'),
        (with_file(url="https://example.org/"), 'downloads.mine.files.0.url is "https://example.org/"; give the'),
        (with_file(sha256="ABC"), 'downloads.mine.files.0.sha256 is "ABC"; give 64 hex digits in lower case'),
        (with_file(path="../a.txt"), 'downloads.mine.files.0.path: "../a.txt" leads out of the working directory'),
        (with_file(path="/a.txt"), 'downloads.mine.files.0.path: "/a.txt" leads out of the working directory'),
        (with_file(path=None), "downloads.mine.files.0 has none; give exactly one of path, members, tables"),
        (with_file(members={"b": "b"}), "downloads.mine.files.0 has path and members; give exactly one of path,"),
        (with_file(path=None, members={"../b": "b"}), 'downloads.mine.files.0.members: "../b" leads out of the'),
        (with_file(path=None, tables={}), "downloads.mine.files.0.tables is empty; give at least one"),
        (
            {**ENTRY, "files": [*ENTRY["files"], {"url": URL, "members": {"data/../data/a.txt": "a"}}]},
            'downloads.mine.files.1.members: "data/../data/a.txt" leads out of the working directory',
        ),
        (
            {**ENTRY, "files": [*ENTRY["files"], {"url": URL, "members": {"data//a.txt": "a"}}]},
            "downloads.mine.files.1: data/a.txt is made by downloads.mine.files.0 already; remove it from one",
        ),
    ],
)
def test_mistakes_are_told_with_their_key(tmp_path: Path, entry: Any, line: str) -> None:
    with pytest.raises(UserError) as caught:
        read_catalogue(write(tmp_path / "mine.yaml", mine=entry))
    assert caught.value.lines()[0].startswith(f"{tmp_path / 'mine.yaml'}: {line}")
    assert len(caught.value.lines()) == 1


def test_what_is_lacking_is_found_once_with_its_key() -> None:
    Path("data/sst").mkdir(parents=True)
    Path("data/sst/dev.txt").touch()
    Path("data/sst/test.txt").symlink_to("nowhere")
    prompts = {"one": {"source": "text", "path": "data/p.txt"}, "two": {"source": "text", "path": "data/p.txt"}}
    found = lacking(study_with({"sst": SST, "again": SST}, prompts))
    assert found == {"data/sst/train.txt": "corpora.sst.path", "data/p.txt": "prompts.one.path"}
    documents = {"source": "documents", "files": {"train": "data/texts"}, "fractions": {"dev": 0.1, "test": 0.1}}
    with pytest.raises(UserError, match=r"corpora\.mine\.files\.train: no file or folder data/texts; correct the path"):
        lacking(study_with({"mine": documents}, {}))


def test_only_downloads_of_missing_files_are_chosen(tmp_path: Path) -> None:
    members = {f"data/sst/{split}.txt": f"trees/{split}.txt" for split in ("train", "dev", "test")}
    other = {"url": "https://example.org/b.txt", "path": "data/b.txt"}
    file = write(
        tmp_path / "c.yaml",
        mine={**ENTRY, "files": [*ENTRY["files"], other]},
        sst=with_file(path=None, members=members),
    )
    plan = chosen({"data/./a.txt": "corpora.mine.files.train", "data/sst/dev.txt": "corpora.sst.path"}, file)
    assert {name: [download.url for download in files] for name, (_, files) in plan.items()} == {
        "mine": [URL],
        "sst": [URL],
    }
    assert plan["sst"][1][0].outputs() == list(members)
    # Nothing is missing: the file is not even read.
    assert chosen({}, tmp_path / "nothing.yaml") == {}


@pytest.mark.parametrize("exists", [True, False])
def test_files_that_nobody_declares(tmp_path: Path, exists: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder may have no config/data.yaml."""
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path / "c.yaml", mine=ENTRY) if exists else Path(DOWNLOADS)
    with pytest.raises(UserError) as caught:
        chosen({"data/a.txt": "corpora.a.path", "data/x.txt": "corpora.x.path", "y": "prompts.y.path"}, file)
    remedy = f"and {file} declares no download of it: put it there, correct the path, or declare it"
    lines = [f"config: corpora.x.path: no file data/x.txt, {remedy}", f"config: prompts.y.path: no file y, {remedy}"]
    assert caught.value.lines()[-2:] == lines and len(caught.value.lines()) == (2 if exists else 3)


def test_a_missing_file_of_the_plan_names_the_command() -> None:
    config = study_with({"mine": LINES, "sst": SST}, {})
    with pytest.raises(UserError) as caught:
        check_files(config, "make data CONFIG=mine.yaml")
    assert "no file data/./a.txt; correct the path (relative ones start at" in caught.value.lines()[0]
    write(Path(DOWNLOADS), mine=ENTRY)
    with pytest.raises(UserError) as caught:
        check_files(config, "make data CONFIG=mine.yaml")
    line = "config: corpora.mine.files.train: no file data/./a.txt; make data CONFIG=mine.yaml downloads it"
    assert caught.value.lines()[0].startswith(line)
    assert "no file data/sst/train.txt; correct the path" in caught.value.lines()[1]


def test_the_command_names_the_files() -> None:
    assert make_data([]) == "make data"
    assert make_data([Path.cwd() / "config" / "sst.yaml"]) == "make data CONFIG=config/sst.yaml"
    assert make_data(["a.yaml", "b.yaml"]) == 'make data CONFIG="a.yaml b.yaml"'


# What the project itself declares.


def test_everything_that_the_studies_name_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for path in sorted((ROOT / "config").glob("*.yaml")):
        if "study" in yaml.safe_load(path.read_text()) and path.stem != "minimal":
            config = declare(read_study([path])).config
            named = {
                file for part in (config.corpora, config.prompts) for one in part.values() for file in one.input_files()
            }
            assert named <= downloadable(), path
            # Nothing lies outside the project.
            assert not re.search(r"\.\./(?!workflow/schemas)", path.read_text()), path


@pytest.mark.parametrize("name", ["sst", "paper"])
def test_a_study_of_ours_needs_no_files_but_those(tmp_path: Path, name: str) -> None:
    config = declare(read_study([ROOT / "config" / f"{name}.yaml"])).config
    origins = read_catalogue(ROOT / DOWNLOADS).origins()
    # In a folder without config/data.yaml no error could name the command.
    Path("config").mkdir()
    Path(DOWNLOADS).write_text((ROOT / DOWNLOADS).read_text())
    missing = lacking(config)
    assert missing.keys() <= origins.keys() and len(missing) == {"sst": 12, "paper": 3}[name]
    with pytest.raises(UserError) as caught:
        check_files(config, f"make data CONFIG=config/{name}.yaml")
    assert all(f"; make data CONFIG=config/{name}.yaml downloads it" in line for line in caught.value.lines())
    for path in missing:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    assert lacking(config) == {}
    check_files(config)


def test_every_download_of_ours_is_pinned() -> None:
    catalogue = read_catalogue(ROOT / DOWNLOADS)
    assert catalogue.downloads.keys() == {"sst", "imdb", "cola", "prompts", "wikitext2"}
    for dataset in catalogue.downloads.values():
        for download in dataset.files:
            assert download.sha256 and download.url.startswith("https://")
            # Of a repository only a commit can never change.
            if "githubusercontent" in download.url:
                assert re.fullmatch("[0-9a-f]{40}", download.url.split("/")[5])


SHARED = Path("/work/shared/data")


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_the_digests_are_those_of_the_files_at_hand() -> None:
    import hashlib

    catalogue: Catalogue = read_catalogue(ROOT / DOWNLOADS)
    single = [download for dataset in catalogue.downloads.values() for download in dataset.files if download.path]
    assert len(single) == 8
    for download in single:
        path = SHARED / Path(download.path).relative_to("data")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == download.sha256, path

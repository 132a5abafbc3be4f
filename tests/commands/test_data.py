"""``lm-interpolation data`` against a mirror on the loopback interface."""

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_interpolation.commands import data
from lm_interpolation.data import downloading
from lm_interpolation.jobs.runtime import UserError
from tests.loopback import Site, serving

TREES = {f"trees/{split}.txt": f"(3 (2 {split}) (3 fine))\n".encode() for split in ("train", "dev", "test")}
PROMPTS = b'{"prompt": {"text": "The film was"}}\n' * 1000
REVIEWS = {f"aclImdb/train/pos/{number}_{number % 4 + 7}.txt": f"Review {number}".encode() for number in range(30)}
STUDY = {
    "study": "mine",
    "corpora": {
        "sst": {"source": "sst", "path": "data/sst"},
        "imdb": {
            "source": "csv",
            "files": {"train": "data/imdb/pos.tsv.gz"},
            "columns": ["id", "rating", "text"],
            "separator": "\t",
            "text": "text",
            "fractions": {"dev": 0.1, "test": 0.1},
        },
    },
    "models": {"base": {"task": "language-model", "start": {"directory": "models/base"}}},
    "prompts": {"neutral": {"source": "jsonl", "path": "data/prompts/neutral.jsonl"}},
}


def zipped() -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        for name, content in {"readme.txt": b"read me", **TREES}.items():
            archive.writestr(name, content)
    return file.getvalue()


def tar() -> bytes:
    with tarfile.open(fileobj=(file := io.BytesIO()), mode="w:gz") as archive:
        for name, content in REVIEWS.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


FILES = {"https://a.org/trees.zip": zipped(), "https://b.org/x/imdb.tar.gz": tar(), "https://a.org/n.jsonl": PROMPTS}
MADE: dict[str, dict[str, Any]] = {
    "https://a.org/trees.zip": {"members": {f"data/sst/{name[6:]}": name for name in TREES}},
    "https://b.org/x/imdb.tar.gz": {"tables": {"data/imdb/pos.tsv.gz": "aclImdb/train/pos"}},
    "https://a.org/n.jsonl": {"path": "data/prompts/neutral.jsonl"},
}


def entry(url: str, about: str, licence: str) -> dict[str, Any]:
    digest = hashlib.sha256(FILES[url]).hexdigest()
    return {"about": about, "licence": licence, "files": [{"url": url, "sha256": digest, **MADE[url]}]}


CATALOGUE = {
    "sst": entry("https://a.org/trees.zip", "Trees, https://a.org", "none stated"),
    "imdb": entry("https://b.org/x/imdb.tar.gz", "Reviews", "cite it"),
    "prompts": entry("https://a.org/n.jsonl", "Prompts", "MIT"),
    "unused": {
        "about": "nobody names it",
        "licence": "MIT",
        "files": [{"url": "https://c.org/a", "path": "data/a"}],
    },
}


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A folder with a study, and a mirror of all that it needs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(downloading.time, "sleep", lambda seconds: None)
    Path("config").mkdir()
    Path("mine.yaml").write_text(yaml.safe_dump(STUDY))
    write(CATALOGUE)
    site = Site()
    site.files = {url.removeprefix("https:/"): content for url, content in FILES.items()}
    with serving(site):
        yield site


def write(catalogue: dict[str, Any]) -> None:
    Path("config/data.yaml").write_text(yaml.safe_dump({"downloads": catalogue}, sort_keys=False))


def run(mirror: Site, *arguments: str) -> None:
    data.main(["--mirror", mirror.url, "--configfile", "mine.yaml", "--cores", "1", *arguments])


def files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path("data").rglob("*") if path.is_file()}


def error_of(mirror: Site, *arguments: str) -> str:
    with pytest.raises(UserError) as caught:
        run(mirror, *arguments)
    assert len(caught.value.lines()) == 1
    return str(caught.value)


def test_everything_arrives_and_a_second_run_asks_for_nothing(mirror: Site, capsys: pytest.CaptureFixture[str]) -> None:
    run(mirror)
    table = "".join(f"{number}\t{number % 4 + 7}\tReview {number}\n" for number in range(30)).encode()
    found = files()
    assert gzip.decompress(found.pop("data/imdb/pos.tsv.gz")) == table
    assert found == {"data/prompts/neutral.jsonl": PROMPTS, **{f"data/sst/{name[6:]}": TREES[name] for name in TREES}}
    assert [path for path, _ in mirror.asked] == ["/a.org/trees.zip", "/b.org/x/imdb.tar.gz", "/a.org/n.jsonl"]
    out, told = capsys.readouterr()
    assert out == "study mine: 5 files downloaded\n"
    lines = told.splitlines()
    # What it is and its licence come before the download.
    assert lines[:3] == [
        "[data] sst: Trees, https://a.org",
        "[data] sst: licence: none stated",
        f"[data] sst: {mirror.url}/a.org/trees.zip, {len(FILES['https://a.org/trees.zip']) / 1000:.1f} kB",
    ]
    wrote = f"[data] prompts: wrote data/prompts/neutral.jsonl, {len(PROMPTS)} bytes"
    assert lines.index("[data] prompts: licence: MIT") < lines.index(wrote)
    assert "nobody names it" not in told
    run(mirror)
    assert len(mirror.asked) == 3
    assert capsys.readouterr() == ("study mine: no file is missing\n", "")


def test_only_what_is_missing_is_made_again(mirror: Site) -> None:
    run(mirror)
    Path("data/sst/dev.txt").unlink()
    Path("data/sst/test.txt").write_text("mine")
    mirror.asked.clear()
    run(mirror)
    assert mirror.asked == [("/a.org/trees.zip", None)]
    assert files()["data/sst/dev.txt"] == TREES["trees/dev.txt"]
    assert files()["data/sst/test.txt"] == b"mine"


def test_a_cut_in_one_run_is_continued_in_the_next(mirror: Site, capsys: pytest.CaptureFixture[str]) -> None:
    mirror.cuts["/a.org/n.jsonl"] = [20_000] + [0] * 9
    assert "prompts: " in error_of(mirror)
    assert "data/prompts/neutral.jsonl" not in files()
    assert len(files()["data/prompts/n.jsonl.part"]) == 20_000
    mirror.cuts.clear()
    mirror.asked.clear()
    run(mirror)
    assert mirror.asked == [("/a.org/n.jsonl", "bytes=20000-")]
    assert files()["data/prompts/neutral.jsonl"] == PROMPTS and len(files()) == 5


def test_a_wrong_digest_keeps_nothing(mirror: Site) -> None:
    catalogue = json.loads(json.dumps(CATALOGUE))
    catalogue["sst"]["files"][0]["sha256"] = "0" * 64
    write(catalogue)
    message = error_of(mirror)
    found = hashlib.sha256(FILES["https://a.org/trees.zip"]).hexdigest()
    assert f"/a.org/trees.zip has the sha256 {found}" in message and f"not {'0' * 64}" in message
    assert files() == {}


def test_an_archive_that_lacks_a_member_is_kept_for_the_corrected_declaration(mirror: Site) -> None:
    catalogue = json.loads(json.dumps(CATALOGUE))
    catalogue["sst"]["files"][0]["members"]["data/sst/train.txt"] = "train.txt"
    write(catalogue)
    assert error_of(mirror) == (
        "sst: data/sst/trees.zip.part holds no train.txt; correct what is declared of this download"
    )
    write(CATALOGUE)
    run(mirror)
    assert [path for path, _ in mirror.asked].count("/a.org/trees.zip") == 1
    assert len(files()) == 5


def test_a_file_that_is_gone(mirror: Site) -> None:
    del mirror.files["/b.org/x/imdb.tar.gz"]
    assert f"imdb: {mirror.url}/b.org/x/imdb.tar.gz answers 404 Not Found; has the file moved?" in error_of(mirror)


def test_files_that_nobody_declares_stop_it_before_anything_is_downloaded(mirror: Site) -> None:
    write({name: CATALOGUE[name] for name in ("sst", "imdb")})
    assert error_of(mirror) == (
        "mine.yaml: prompts.neutral.path: no file data/prompts/neutral.jsonl, and config/data.yaml declares no "
        "download of it: put it there, correct the path, or declare it"
    )
    assert mirror.asked == []


def test_another_folder_and_another_file_of_downloads(mirror: Site, tmp_path: Path) -> None:
    Path("config/data.yaml").rename("own.yaml")
    (tmp_path / "there").mkdir()
    data.main(["--downloads", "own.yaml", "--mirror", mirror.url, "--directory", "there", "--configfile", "mine.yaml"])
    assert len(files()) == 5 and Path.cwd() == tmp_path / "there"


def test_mistakes_of_the_study_are_told_first(mirror: Site) -> None:
    Path("mine.yaml").write_text(yaml.safe_dump({**STUDY, "stduy": 1}))
    assert error_of(mirror).startswith("mine.yaml: unknown key 'stduy'")
    assert mirror.asked == []


def test_mistakes_in_arguments_are_one_line_and_download_nothing(mirror: Site) -> None:
    assert error_of(mirror, "-n").startswith("data has no dry run; leave -n out")
    assert error_of(mirror, "--downloads", "typo.yaml") == ("mine.yaml: typo.yaml: no such file; correct --downloads")
    assert mirror.asked == []
    with pytest.raises(UserError) as caught:
        data.main(["--mirror", "mirror.local", "--configfile", "mine.yaml"])
    assert str(caught.value) == "--mirror mirror.local: is no address; begin it with http:// or https://"

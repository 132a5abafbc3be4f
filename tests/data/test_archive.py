import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lm_interpolation.jobs.runtime import UserError
from tests.reading import check_corpus, corpus_files, load_corpus

FILES = {
    f"imdb/{split}/{name}/{i:02}.txt": f"{name} {split} {i}"
    for split in ("train", "test")
    for name in ("pos", "neg")
    for i in range(10)
}
CLASSES = {
    "positive": {"train": "imdb/train/pos/*.txt", "test": "imdb/test/pos/*.txt"},
    "negative": {"train": "imdb/train/neg/*.txt", "test": "imdb/test/neg/*.txt"},
}


def write(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    compression = path.suffix.removeprefix(".").removeprefix("tar")
    with tarfile.open(path, f"w:{compression}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture(params=["imdb.zip", "imdb.tar", "imdb.tar.gz", "imdb.tar.xz"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """As the archive of the Large Movie Review Dataset, in reverse order and with a folder and other files."""
    files = {name: text.encode() for name, text in reversed(FILES.items())} | {"imdb/README": b"\xff"}
    path = write(tmp_path / request.param, files)
    return {"source": "archive", "path": str(path), "class_files": CLASSES, "fractions": {"dev": 0.2}}


def test_files_of_an_archive_are_texts(spec: dict[str, Any]) -> None:
    frames = load_corpus(spec, "mine")
    assert {split: len(frame) for split, frame in frames.items()} == {"train": 16, "dev": 4, "test": 20}
    found = [tuple(row) for split in ("train", "dev") for row in frames[split].to_numpy()]
    expected = [*(f"pos train {i}" for i in range(10)), *(f"neg train {i}" for i in range(10))]
    assert sorted(found) == [(i, text, ["positive", "negative"][i >= 10]) for i, text in enumerate(expected)]
    assert corpus_files(spec) == [spec["path"]]
    assert check_corpus(spec, "mine").class_names(None) == ["negative", "positive"]  # type: ignore[arg-type]


def test_an_unlabelled_archive(spec: dict[str, Any]) -> None:
    plain = {key: value for key, value in spec.items() if key not in ("class_files", "fractions")}
    files = {"train": ["imdb/train/pos/*", "imdb/train/neg/*"], "dev": "imdb/test/neg/*", "test": "imdb/test/pos/*"}
    frames = load_corpus(plain | {"files": files}, "mine")
    assert [len(frame) for frame in frames.values()] == [20, 10, 10]
    assert frames["train"]["label"].tolist() == [None] * 20


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            {"positive": "imdb/*/pos/*.text", "negative": "imdb/*"},
            "corpora.mine.class_files.positive: no file in imdb.zip matches 'imdb/*/pos/*.text'; it has 41, among them",
        ),
        (
            {"positive": "imdb/*/pos/*.txt", "negative": "imdb/*.txt"},
            "corpora.mine.class_files.negative: imdb/test/pos/00.txt is also among the files of class_files.posi",
        ),
        (
            {"positive": "imdb/*/pos/*.txt", "negative": "imdb/README"},
            "imdb.zip/imdb/README:1: byte 0xff at offset 0 is not UTF-8",
        ),
    ],
)
def test_errors_of_patterns(
    classes: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("imdb.zip"), {name: text.encode() for name, text in FILES.items()} | {"imdb/README": b"\xff"})
    spec = {"source": "archive", "path": "imdb.zip", "class_files": classes, "fractions": {"dev": 0.2, "test": 0.2}}
    with pytest.raises(UserError) as caught:
        load_corpus(spec, "mine")
    assert str(caught.value).startswith(message)


def test_a_damaged_archive_is_one_line(spec: dict[str, Any]) -> None:
    path = Path(spec["path"])
    for content in (path.read_bytes()[: path.stat().st_size // 2], b"no archive", b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"not a readable zip or tar archive \(.*\); check corpora\.mine\.path$"):
            load_corpus(spec, "mine")
    path.unlink()
    with pytest.raises(UserError, match=r"no such file; correct corpora\.mine\.path$"):
        load_corpus(spec, "mine")


def test_an_archive_needs_its_patterns(spec: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"mine: source archive needs either files, or class_files"):
        check_corpus(spec | {"files": {"train": "*"}}, "mine")

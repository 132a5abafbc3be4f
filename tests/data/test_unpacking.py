"""data/unpacking.py: members, and tables like those of the Large Movie Review Dataset, against tables by hand."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from lm_interpolation.data.unpacking import unpack
from lm_interpolation.jobs.runtime import UserError
from tests.reading import load_corpus

# In another order than that of the ids, which is that of numbers.
FILES = {
    "aclImdb/README": b"read me",
    "aclImdb/train/pos/10_7.txt": b"Ten.<br />Good",
    "aclImdb/train/pos/0_9.txt": "Zero, “fine”".encode(),
    "aclImdb/train/pos/2_10.txt": b"Two\n",
    "aclImdb/train/neg/0_1.txt": b"bad",
    "aclImdb/train/unsup/1_0.txt": b"tab\there",
    "aclImdb/test/pos/0_10.txt": b"of test",
}
POSITIVE = "0\t9\tZero, “fine”\n2\t10\tTwo\n10\t7\tTen.<br />Good\n".encode()


def tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def error_of(archive: Path, members: dict[str, str], tables: dict[str, str]) -> str:
    with pytest.raises(UserError) as caught:
        unpack(archive, members, tables, "mine")
    assert "\n" not in str(caught.value)
    assert not Path("data").exists()
    return str(caught.value)


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_compressed_member_stays_as_it_is() -> None:
    content = gzip.compress(b"1,good\n")
    unpack(tar(Path("a.part"), {"x/a.csv.gz": content}), {"data/a.csv.gz": "x/a.csv.gz"}, {}, "mine")
    assert Path("data/a.csv.gz").read_bytes() == content


@pytest.mark.parametrize("make", [tar, zipped])
def test_members_and_tables(make, capsys: pytest.CaptureFixture[str]) -> None:
    archive = make(Path("a.part"), FILES)
    tables = {f"data/{name}.tsv.gz": f"aclImdb/train/{name}" for name in ("pos", "unsup")}
    unpack(archive, {"data/read.txt": "aclImdb/README"}, tables | {"data/neg.tsv": "aclImdb/train/neg/"}, "mine")
    assert Path("data/read.txt").read_bytes() == b"read me"
    assert gzip.decompress(Path("data/pos.tsv.gz").read_bytes()) == POSITIVE
    assert Path("data/neg.tsv").read_bytes() == b"0\t1\tbad\n"
    assert gzip.decompress(Path("data/unsup.tsv.gz").read_bytes()) == b"1\t0\ttab here\n"
    assert sorted(path.name for path in Path("data").iterdir()) == ["neg.tsv", "pos.tsv.gz", "read.txt", "unsup.tsv.gz"]
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "[data] mine: wrote data/read.txt, 7 bytes"
    assert "[data] mine: 1 texts of a.part/aclImdb/train/unsup have tabs or line breaks, which become spaces" in told


def test_equal_archives_give_equal_files(tmp_path: Path) -> None:
    for name, files in (("one", FILES), ("two", dict(reversed(FILES.items())))):
        unpack(tar(Path(f"{name}.part"), files), {}, {f"{name}.tsv.gz": "aclImdb/train/pos"}, "mine")
    assert Path("one.tsv.gz").read_bytes() == Path("two.tsv.gz").read_bytes()


def test_a_corpus_reads_such_a_table() -> None:
    unpack(tar(Path("a.part"), FILES), {}, {"data/pos.tsv.gz": "aclImdb/train/pos"}, "mine")
    corpus = {
        "source": "csv",
        "files": dict.fromkeys(("train", "dev", "test"), "data/pos.tsv.gz"),
        "columns": ["id", "rating", "text"],
        "separator": "\t",
        "quoting": False,
        "text": "text",
        "label": "rating",
        "classes": {"some": [7], "more": [9, 10]},
        "drop": {"id": [2]},
    }
    train = load_corpus(corpus, "mine")["train"]
    assert train[["text", "label"]].values.tolist() == [["Zero, “fine”", "more"], ["Ten.<br />Good", "some"]]


def test_names_may_begin_with_the_folder_itself() -> None:
    unpack(tar(Path("a.part"), {"./trees/dev.txt": b"(3 fine)"}), {"dev.txt": "trees/dev.txt"}, {}, "mine")
    assert Path("dev.txt").read_bytes() == b"(3 fine)"


def test_what_the_archive_lacks() -> None:
    archive = tar(Path("a.part"), FILES)
    remedy = "; correct what is declared of this download"
    assert error_of(archive, {"data/a": "nothing.txt"}, {}) == f"mine: a.part holds no nothing.txt{remedy}"
    assert error_of(archive, {}, {"data/a": "aclImdb/more"}) == f"mine: a.part holds no aclImdb/more{remedy}"


def test_a_link_is_no_member() -> None:
    with tarfile.open("a.part", "w") as archive:
        member = tarfile.TarInfo("trees/dev.txt")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    assert "holds no trees/dev.txt" in error_of(Path("a.part"), {"data/dev.txt": "trees/dev.txt"}, {})


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/outside.txt", "trees/../../outside.txt", "trees\\..\\x.txt"])
@pytest.mark.parametrize("make", [tar, zipped])
def test_names_that_lead_out_of_the_folder(make, name: str) -> None:
    archive = make(Path("a.part"), {"trees/dev.txt": b"(3 fine)", name: b"evil"})
    message = error_of(archive, {"data/dev.txt": "trees/dev.txt"}, {})
    assert "which leads out of its folder; nothing is taken from it" in message


def test_files_of_other_names_and_ids_that_come_twice() -> None:
    other = tar(Path("a.part"), {"pos/0_9.txt": b"a", "pos/notes.txt": b"b"})
    assert "a.part/pos/notes.txt is not called <id>_<rating>.txt" in error_of(other, {}, {"data/a": "pos"})
    twice = tar(Path("b.part"), {"pos/1_9.txt": b"a", "pos/01_8.txt": b"b"})
    assert "b.part/pos has two files with the id 01" in error_of(twice, {}, {"data/a": "pos"})


def test_text_in_another_encoding() -> None:
    archive = tar(Path("a.part"), {"pos/0_9.txt": "café".encode("cp1252")})
    assert error_of(archive, {}, {"data/a": "pos"}).startswith(
        "a.part/pos/0_9.txt:1: byte 0xe9 at offset 3 is not UTF-8"
    )


def test_damage() -> None:
    whole = tar(Path("a.part"), FILES).read_bytes()
    Path("cut.part").write_bytes(whole[: len(whole) // 2])
    Path("no.part").write_bytes(b"<html>")
    for name in ("cut.part", "no.part"):
        message = error_of(Path(name), {"data/read.txt": "aclImdb/README"}, {})
        assert message.startswith(f"{name}: not a readable zip or tar archive (")
        assert message.endswith("; delete it and run this again")

"""Encodings, pointers in place of data, and duplicate column names, in all formats."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lm_interpolation.jobs.runtime import UserError
from tests.reading import check_corpus, check_files, check_prompts, load_corpus, load_prompts

SPLITS = ("train", "dev", "test")
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n"
ANNEX = b"/annex/objects/SHA256E-s12345--4d7a214614ab2935c943f9e0ff69d22e.txt\n"
TEXTS = ["“A café”, he said — fine.", "It’s naïve"]


def corpus_error(spec: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        load_corpus(spec, "mine")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def prompt_error(spec: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        load_prompts(spec, "mine")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def spec_of(folder: Path, source: str, content: bytes | None = None, encoding: str = "utf-8") -> dict[str, Any]:
    """A corpus of ``TEXTS`` in all of its splits, each in a file of this format with ``content``, if given."""
    files = {split: folder / f"{split}.{source}" for split in SPLITS}
    if source == "sst":
        files = {split: folder / f"{split}.txt" for split in SPLITS}
    contents = {
        "lines": "\n".join(TEXTS),
        "documents": TEXTS[0],
        "csv": "text;stars\n" + "".join(f"{text};1\n" for text in TEXTS),
        "jsonl": "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in TEXTS),
        "sst": "(3 (2 café) (2 ’s))\n(1 (2 a) (2 b))\n(2 c)\n",
    }
    for path in files.values():
        path.write_bytes(contents[source].encode(encoding) if content is None else content)
    if source == "sst":
        return {"source": source, "path": str(folder)}
    spec: dict[str, Any] = {"source": source, "files": {split: str(path) for split, path in files.items()}}
    if source in ("csv", "jsonl", "parquet"):
        spec |= {"text": "text"} | ({"separator": ";"} if source == "csv" else {})
    return spec


# --- encodings ---


@pytest.mark.parametrize("source", ["lines", "documents", "csv", "jsonl", "sst"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_encoding(tmp_path: Path, source: str, encoding: str) -> None:
    spec = spec_of(tmp_path, source, encoding=encoding)
    assert load_corpus(spec | {"encoding": encoding}, "mine")["dev"]["text"][0] == (
        "café ’s" if source == "sst" else TEXTS[0]
    )


@pytest.mark.parametrize("source", ["text", "jsonl"])
def test_encoding_of_prompts(tmp_path: Path, source: str) -> None:
    path = tmp_path / "prompts"
    content = TEXTS if source == "text" else [json.dumps({"text": text}, ensure_ascii=False) for text in TEXTS]
    path.write_bytes("\n".join(content).encode("cp1252"))
    spec = {"source": source, "path": str(path)} | ({"text": "text"} if source == "jsonl" else {})
    assert load_prompts(spec | {"encoding": "cp1252"}, "mine")["text"].tolist() == TEXTS
    assert "it may be cp1252" in prompt_error(spec)


@pytest.mark.parametrize("encoding", ["utf8x", "base64", "nul\0l", "latin 100"])
def test_an_unknown_encoding_is_told_while_the_config_is_checked(encoding: str) -> None:
    for check, spec in (
        (check_corpus, {"source": "lines", "files": dict.fromkeys(SPLITS, "x.txt"), "encoding": encoding}),
        (check_prompts, {"source": "text", "path": "x.txt", "encoding": encoding}),
    ):
        with pytest.raises(UserError, match=r"mine\.encoding: Python has no text encoding"):
            check(spec, "mine")
    with pytest.raises(UserError, match=r"mine\.encoding: source parquet has no use for it"):
        check_corpus({"source": "parquet", "files": {"train": "x"}, "text": "text", "encoding": "utf-8"}, "mine")


def test_bytes_of_another_encoding(tmp_path: Path) -> None:
    message = corpus_error(spec_of(tmp_path, "lines", encoding="cp1252"))
    assert message == (
        f"{tmp_path}/train.lines:1: byte 0x93 at offset 0 is not UTF-8; it may be cp1252, where this word is '“A': if "
        "that is right, set `encoding: cp1252`"
    )
    message = corpus_error(spec_of(tmp_path, "lines", "an old café".encode("latin1")))
    assert "byte 0xe9 at offset 10 is not UTF-8; it may be cp1252, where this word is 'café'" in message
    # 0x81 is nothing in cp1252, and 0x01 no text.
    for content in (b"fine\n\x81\xff", b"\x01\xff"):
        message = corpus_error(spec_of(tmp_path, "lines", content))
        assert message.endswith("is not UTF-8; find out its encoding and name it (`encoding: ...`)")
    assert "starts like UTF-16: set `encoding: utf-16`" in corpus_error(spec_of(tmp_path, "lines", encoding="utf-16"))
    message = corpus_error(spec_of(tmp_path, "lines", b"\x81") | {"encoding": "cp1252"})
    assert "byte 0x81 at offset 0 is not cp1252; find out" in message


@pytest.mark.parametrize(
    ("encoding", "remedy"),
    [
        ("latin1", "set `encoding: cp1252`"),
        ("ISO-8859-15", "set `encoding: cp1252`"),
        ("iso8859-2", "name that of its alphabet, one of cp1250 to cp1258"),
    ],
)
def test_control_characters_of_latin1_are_quotes_of_windows(tmp_path: Path, encoding: str, remedy: str) -> None:
    spec = spec_of(tmp_path, "lines", b"fine\nit\x92s not") | {"encoding": encoding}
    message = corpus_error(spec)
    assert message.startswith(f"{tmp_path}/train.lines:2: U+0092 in {encoding} is a control character;")
    assert message.endswith(remedy)
    assert (
        load_corpus(spec_of(tmp_path, "lines", b"caf\xe9") | {"encoding": encoding}, "mine")["dev"]["text"][0] == "café"
    )
    # In UTF-8 they are rare, but nobody's mistake of encodings.
    assert len(load_corpus(spec_of(tmp_path, "lines", "a\x85b".encode()), "mine")["dev"]) == 1


# --- pointers ---


@pytest.mark.parametrize("source", ["lines", "documents", "csv", "jsonl", "sst", "parquet"])
@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (LFS, "a pointer of Git LFS in place of the data; fetch the real file with git lfs pull"),
        (ANNEX, "git annex get"),
    ],
)
def test_a_pointer_in_place_of_data(tmp_path: Path, source: str, content: bytes, remedy: str) -> None:
    spec = spec_of(tmp_path, source, content)
    assert remedy in corpus_error(spec)
    # Before anything runs, too.
    with pytest.raises(UserError, match=f"^config: corpora.mine.*: {tmp_path}/.*{remedy}"):
        check_files({"mine": spec}, {})


@pytest.mark.parametrize("source", ["text", "jsonl"])
def test_a_pointer_in_place_of_prompts(tmp_path: Path, source: str) -> None:
    (tmp_path / "prompts").write_bytes(LFS)
    spec = {"source": source, "path": str(tmp_path / "prompts")}
    assert "fetch the real file with git lfs pull" in prompt_error(spec)
    with pytest.raises(UserError, match=r"^config: prompts\.mine\.path: .*git lfs pull"):
        check_files({}, {"mine": spec})


def test_a_compressed_file_and_a_link_may_be_pointers(tmp_path: Path) -> None:
    (tmp_path / "texts.csv.gz").write_bytes(LFS)
    spec = {"source": "csv", "files": dict.fromkeys(SPLITS, str(tmp_path / "texts.csv.gz")), "text": "text"}
    assert "git lfs pull" in corpus_error(spec)
    (tmp_path / "texts.csv.gz").unlink()
    (tmp_path / "texts.csv.gz").symlink_to(".git/annex/objects/x/SHA256E-s1--1.gz")
    assert "git-annex has not fetched the file; run git annex get" in corpus_error(spec)
    (tmp_path / "texts.csv.gz").unlink()
    (tmp_path / "texts.csv.gz").write_bytes(gzip.compress(b"text\n" + b"fine\n" * 3))
    assert len(load_corpus(spec, "mine")["train"]) == 3


def test_a_pointer_in_the_folder_of_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(LFS)
    spec = {"source": "datasets", "id": str(tmp_path), "revision": "main", "splits": {"train": "train"}, "text": "text"}
    assert "git lfs pull" in corpus_error(spec | {"fractions": {"dev": 0.1, "test": 0.1}})


# --- columns of one name ---


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    content = b"text;label;text\nraw;1;clean\n"
    spec = spec_of(tmp_path, "csv", content)
    message = corpus_error(spec)
    assert message.startswith(f"{tmp_path}/train.csv: 2 columns are called 'text'; rename one in the header line")
    # Where nothing is read from them they do no harm.
    assert load_corpus(spec | {"text": "label"}, "mine")["dev"]["text"].tolist() == ["1"]
    with pytest.raises(
        UserError, match=r"corpora\.mine\.columns: 2 columns are called 'text'; give them different names"
    ):
        check_corpus(spec | {"columns": ["text", "label", "text"]}, "mine")
    with pytest.raises(UserError, match=r"corpora\.mine\.columns: no column 'text'; it has a, b"):
        check_corpus(spec | {"columns": ["a", "b"]}, "mine")


def test_two_columns_of_one_name_in_other_formats(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "jsonl", b'{"text": "raw", "more": {"a": 1, "a": 2}, "text": "clean"}\n')
    assert "train.jsonl:1: cannot read the JSON, 'a' stands there twice; fix the line" in corpus_error(spec)
    spec = spec_of(tmp_path, "parquet", b"")
    table = pa.table([["raw"], ["clean"]], names=["text", "text"])
    for path in spec["files"].values():
        pq.write_table(table, path)
    assert "train.parquet: 2 columns are called 'text'; rename one of them in the file" in corpus_error(spec)


def test_json_beyond_what_python_reads(tmp_path: Path) -> None:
    for line in ('{"text": "a", "id": ' + "9" * 5000 + "}", '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}"):
        assert "train.jsonl:1: cannot read the JSON, " in corpus_error(spec_of(tmp_path, "jsonl", line.encode()))

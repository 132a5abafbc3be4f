import gzip
import json
import re
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lm_interpolation.data import corpora
from lm_interpolation.data.corpora import read_corpus_split
from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.data.hub import ShardList
from lm_interpolation.data.sources.sst import detokenize
from lm_interpolation.data.steps import split_text
from lm_interpolation.jobs.runtime import UserError
from tests.hub_cache import add_repository, commit_of, point_main_at
from tests.reading import check_corpus, check_prompts, corpus_files, load_corpus, load_prompts, load_stream

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent")


def error_of(spec: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        load_corpus(spec, "mine")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def prompt_error_of(spec: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        load_prompts(spec, "mine")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def texts_of(frame: pd.DataFrame) -> list[tuple[int, str, str | None]]:
    return list(zip(frame["row"].tolist(), frame["text"].tolist(), frame["label"].tolist(), strict=True))


def csv_spec(folder: Path, content: str | bytes = "text,stars\ngood,4\nbad,0\n", **more: Any) -> dict[str, Any]:
    path = folder / "all.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    files = {"train": str(path), "dev": str(path), "test": str(path)}
    classes = {"positive": [3, 4], "negative": [0, 1]}
    return {"source": "csv", "files": files, "text": "text", "label": "stars", "classes": classes} | more


def unlabelled_spec(folder: Path, texts: list[str], **more: Any) -> dict[str, Any]:
    path = folder / "all.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    spec = {"source": "jsonl", "files": {"train": str(path)}, "text": "text"}
    return spec | {"fractions": {"dev": 0.1, "test": 0.2}} | more


def sst_spec(folder: Path, *trees: str, **more: Any) -> dict[str, Any]:
    for split in SPLITS:
        (folder / f"{split}.txt").write_text("\n".join(trees))
    return {"source": "sst", "path": str(folder)} | more


TREES = ["(4 (2 Good) (2 .))", "(2 (2 A) (2 film))", "(1 (1 bad))"]


# --- plain text ---


def class_files_spec(folder: Path, **more: Any) -> dict[str, Any]:
    """Two files of ten formal texts, one of ten casual ones."""
    letters, speeches, chats = (str(folder / f"{name}.txt") for name in ("letters", "speeches", "chats"))
    for path in map(Path, (letters, speeches, chats)):
        path.write_text("".join(f"{path.stem} {i}\n" for i in range(10)))
    paths = {"formal": [letters, speeches], "casual": chats}
    return {"source": "lines", "class_files": paths, "fractions": {"dev": 0.2, "test": 0.2}} | more


def test_a_file_of_lines_for_each_class(tmp_path: Path) -> None:
    frames = load_corpus(class_files_spec(tmp_path), "mine")
    assert {split: len(frame) for split, frame in frames.items()} == {"train": 18, "dev": 6, "test": 6}
    found = sorted(row for frame in frames.values() for row in texts_of(frame))
    names = ["letters"] * 10 + ["speeches"] * 10 + ["chats"] * 10
    labels = ["formal"] * 20 + ["casual"] * 10
    assert found == [(i, f"{name} {i % 10}", labels[i]) for i, name in enumerate(names)]


def test_lines_without_classes(tmp_path: Path) -> None:
    path = tmp_path / "all.txt"
    path.write_text('one\r\n\n two, "quoted" \u2028 \nthree')
    spec = {"source": "lines", "files": dict.fromkeys(SPLITS, str(path))}
    assert texts_of(load_corpus(spec, "mine")["dev"]) == [
        (0, "one", None),
        (2, 'two, "quoted"', None),
        (3, "three", None),
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"files": {"train": "x.txt"}},
            "mine: source lines needs either files, or class_files, which name the classes",
        ),
        ({"classes": {"formal": ["formal"]}}, "mine.classes: source lines takes its classes from class_files"),
        ({"fractions": {"dev": 0.1}}, "mine: no source for the test split"),
        (
            {"class_files": {"formal": "nowhere.txt"}},
            "nowhere.txt: no such file; correct corpora.mine.class_files.formal",
        ),
        ({"text": "text"}, "mine.text: source lines has no use for it"),
    ],
)
def test_errors_of_class_files(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    assert message in error_of(class_files_spec(tmp_path) | more)


def test_a_class_without_texts_in_a_split(tmp_path: Path) -> None:
    spec = class_files_spec(tmp_path)
    (tmp_path / "chats.txt").write_text("only one\n")
    assert "mine.class_files.casual: none of its texts is in the" in error_of(spec)
    (tmp_path / "chats.txt").write_text("\n \n")
    assert error_of(spec).startswith(f"{tmp_path}/chats.txt: holds no text; put one on each line, or take the file out")


# --- labels and classes ---


def test_labels_map_to_classes_whatever_their_type(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text('{"text": "a", "stars": 3}\n{"text": "b", "stars": "0"}\n{"text": "c", "stars": 4.0}\n')
    spec = csv_spec(tmp_path) | {"source": "jsonl", "files": dict.fromkeys(SPLITS, str(path))}
    frame = load_corpus(spec, "mine")["train"]
    assert texts_of(frame) == [(0, "a", "positive"), (1, "b", "negative"), (2, "c", "positive")]
    assert frame["row"].dtype == "int64"


def test_label_in_no_class(tmp_path: Path) -> None:
    spec = csv_spec(tmp_path, "text,stars\ngood,4\nbad,0\nso,2\n")
    message = error_of(spec)
    assert "all.csv:4: label '2' is in no class" in message
    assert "drop: {stars: ['2']}" in message
    frame = load_corpus(spec | {"drop": {"stars": [2]}}, "mine")["train"]
    assert texts_of(frame) == [(0, "good", "positive"), (1, "bad", "negative")]


def test_pairs_of_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "text,second,stars\n A film ,It *ran.,4\n,It ran.,4\nA plot, ,0\nAn end*,It came.,0\n"
    pair = {"column": "second", "between": "</s></s>"}
    frames = load_corpus(csv_spec(tmp_path, rows, pair=pair, replace={"*": ""}), "mine")
    assert texts_of(frames["test"]) == [
        (0, "A film</s></s>It ran.", "positive"),
        (3, "An end</s></s>It came.", "negative"),
    ]
    assert "0 rows by `drop` and 2 empty texts of 4 rows" in capsys.readouterr().err
    assert "no column 'third'" in error_of(csv_spec(tmp_path, rows, pair={**pair, "column": "third"}))
    assert "mine.max_words: would cut pairs of texts apart; remove it" in error_of(
        csv_spec(tmp_path, rows, pair=pair, max_words=5)
    )


def test_label_in_two_classes(tmp_path: Path) -> None:
    spec = csv_spec(tmp_path, classes={"positive": [3, 4], "negative": ["3"]})
    assert "corpora.mine.classes.negative: label 3 is also in positive" in error_of(spec)


def test_empty_class(tmp_path: Path) -> None:
    spec = csv_spec(tmp_path)
    (tmp_path / "dev.csv").write_text("text,stars\nfine,3\n")
    spec["files"]["dev"] = str(tmp_path / "dev.csv")
    message = error_of(spec)
    assert "corpora.mine.classes.negative: empty class" in message
    assert "dev split" in message


def test_labels_and_classes_come_together(tmp_path: Path) -> None:
    spec = csv_spec(tmp_path)
    assert "corpora.mine.classes: missing" in error_of({k: v for k, v in spec.items() if k != "classes"})
    assert "corpora.mine.classes: the source has no labels" in error_of({k: v for k, v in spec.items() if k != "label"})


def test_keys_fit_the_source(tmp_path: Path) -> None:
    spec = csv_spec(tmp_path)
    unknown = "config: corpora.mine.detokenize: source csv has no use for it; remove it"
    assert error_of(spec | {"detokenize": True}) == unknown
    missing = "config: key 'files' is missing at corpora.mine; source csv needs it"
    assert error_of({k: v for k, v in spec.items() if k != "files"}) == missing
    missing = "config: key 'path' is missing at prompts.mine; source text needs it"
    assert prompt_error_of({"source": "text"}) == missing
    check_corpus(spec, "mine")


# --- common steps ---


def test_drop_replace_strip_and_empty_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = "id,text,stars\n0,junk,4\n1, one<br />two ,4\n2,<br />,4\n7,junk,0\n8,bad,0\n"
    spec = csv_spec(tmp_path, content, drop={"id": [0, 7]}, replace={"<br />": " "})
    assert texts_of(load_corpus(spec, "mine")["train"]) == [(1, "one two", "positive"), (4, "bad", "negative")]
    assert "[corpora.mine, train] left out 2 rows by `drop` and 1 empty texts of 5 rows" in capsys.readouterr().err
    assert "no text is left of 5 rows, 4 dropped by `drop`, 1 empty" in error_of(spec | {"drop": {"id": [0, 1, 7, 8]}})


def test_drop_names_a_column_that_exists(tmp_path: Path) -> None:
    assert "all.csv: no column 'id'; it has text, stars" in error_of(csv_spec(tmp_path, drop={"id": [0]}))


def test_rows_run_on_over_the_files_of_a_split(tmp_path: Path) -> None:
    spec = csv_spec(tmp_path)
    spec["files"]["train"] = [spec["files"]["train"]] * 2
    assert load_corpus(spec, "mine")["train"]["row"].tolist() == [0, 1, 2, 3]


def test_fractions_partition_the_train_documents(tmp_path: Path) -> None:
    texts = [f"text {i}" for i in range(50)]
    splits = load_corpus(unlabelled_spec(tmp_path, texts), "mine")
    assert {split: len(frame) for split, frame in splits.items()} == {"train": 35, "dev": 5, "test": 10}
    rows = [row for frame in splits.values() for row in frame["row"]]
    assert sorted(rows) == list(range(50))
    for frame in splits.values():
        assert frame["row"].is_monotonic_increasing
        assert frame["text"].tolist() == [texts[row] for row in frame["row"]]
        assert frame["label"].tolist() == [None] * len(frame)
    again = load_corpus(unlabelled_spec(tmp_path, texts, seed=0), "mine")
    other = load_corpus(unlabelled_spec(tmp_path, texts, seed=1), "mine")
    assert all(frame.equals(again[split]) for split, frame in splits.items())
    assert not other["test"].equals(splits["test"])


def test_pieces_of_a_document_stay_in_one_split(tmp_path: Path) -> None:
    splits = load_corpus(unlabelled_spec(tmp_path, [f"A {i}. B {i}." for i in range(20)], max_words=2), "mine")
    assert sum(len(frame) for frame in splits.values()) == 40
    for frame in splits.values():
        assert frame["row"].value_counts().tolist() == [2] * (len(frame) // 2)


def test_short_texts_are_left_out_after_the_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = ["Heading", *(f"One {i} sentence. Two." for i in range(19))]
    whole = load_corpus(unlabelled_spec(tmp_path, documents, max_words=3), "mine")
    capsys.readouterr()
    kept = load_corpus(unlabelled_spec(tmp_path, documents, max_words=3, min_words=2), "mine")
    for split, frame in whole.items():
        long = frame[frame["text"].str.contains(" ")]
        assert kept[split]["text"].tolist() == long["text"].tolist() and len(long) < len(frame)
    assert "[corpora.mine, train] left out" in capsys.readouterr().err
    problem = "corpora.mine.min_words: is more than max_words, 3, so no text would be left; lower it"
    assert problem in error_of(unlabelled_spec(tmp_path, documents, max_words=3, min_words=4))


def test_fraction_errors(tmp_path: Path) -> None:
    spec = unlabelled_spec(tmp_path, ["a", "b", "c"])
    assert "corpora.mine.fractions: they sum to 1.2" in error_of(spec | {"fractions": {"dev": 0.6, "test": 0.6}})
    assert "no source for the test split" in error_of(spec | {"fractions": {"dev": 0.4}})
    assert "unknown key 'train' at corpora.mine.fractions" in error_of(spec | {"fractions": {"train": 0.4}})
    assert "no text in the test split" in error_of(spec | {"fractions": {"dev": 0.4, "test": 0.1}})
    spec["files"] = {"dev": spec["files"]["train"]}
    assert "key 'train' is missing at corpora.mine.files" in error_of(spec | {"fractions": {"test": 0.1}})


def test_limit_takes_a_nested_subset_in_source_order(tmp_path: Path) -> None:
    spec = unlabelled_spec(tmp_path, [f"text {i}" for i in range(100)])
    everything = load_corpus(spec, "mine")
    large = load_corpus(spec | {"limit": {"train": 40}}, "mine")
    small = load_corpus(spec | {"limit": {"train": 10, "dev": 1000}}, "mine")
    assert len(small["train"]) == 10
    assert small["train"]["row"].is_monotonic_increasing
    assert small["train"]["row"].tolist() != everything["train"]["row"].tolist()[:10]
    assert set(small["train"]["row"]) < set(large["train"]["row"]) < set(everything["train"]["row"])
    assert small["dev"].equals(everything["dev"])


def test_split_text() -> None:
    assert split_text("One two. Three  four!\nFive six seven? Eight", 4) == [
        "One two. Three four!",
        "Five six seven? Eight",
    ]
    assert split_text("a b c d e f g. h i.", 3) == ["a b c", "d e f", "g. h i."]
    assert split_text("a. b c d e f", 3) == ["a.", "b c d", "e f"]
    assert split_text("costs 3.50 a piece", 40) == ["costs 3.50 a piece"]


def test_every_piece_inherits_row_and_label(tmp_path: Path) -> None:
    spec = csv_spec(tmp_path, "text,stars\nGood. Really good.,4\nbad,0\n", max_words=2)
    expected = [(0, "Good.", "positive"), (0, "Really good.", "positive"), (1, "bad", "negative")]
    assert texts_of(load_corpus(spec, "mine")["dev"]) == expected


# --- sst ---


def test_sst_trees(tmp_path: Path) -> None:
    tree = "(3 (2 (2 -LRB-) (2 and\\/or)) (2 (2 \\*\\*\\*) (2 -RRB-)))"
    frame = load_corpus(sst_spec(tmp_path, *TREES, tree), "mine")["dev"]
    assert texts_of(frame) == [
        (0, "Good .", "positive"),
        (1, "A film", "neutral"),
        (2, "bad", "negative"),
        (3, "( and/or *** )", "positive"),
    ]


def test_sst_with_two_classes_must_drop_the_rest(tmp_path: Path) -> None:
    spec = sst_spec(tmp_path, *TREES, classes={"positive": [3, 4], "negative": [0, 1]})
    assert "train.txt:2: label '2' is in no class" in error_of(spec)
    frame = load_corpus(spec | {"drop": {"label": [2]}}, "mine")["test"]
    assert texts_of(frame) == [(0, "Good .", "positive"), (2, "bad", "negative")]


def test_detokenize(tmp_path: Path) -> None:
    text = "It 's n't `` bad , '' -LRB- they 'll say -RRB- : wo n't you pay $ 5 for '70s ` kitsch ' ... -- ? !"
    expected = """It'sn't "bad," (they'll say): won't you pay $5 for '70s 'kitsch'... --?!"""
    assert detokenize(text.split(" ")) == expected
    spec = sst_spec(tmp_path, *TREES, detokenize=True)
    assert load_corpus(spec, "mine")["train"]["text"].tolist() == ["Good.", "A film", "bad"]


@pytest.mark.parametrize("label", ["5", "-1", "x"])
def test_sst_label_outside_range(tmp_path: Path, label: str) -> None:
    assert f"train.txt:4: label {label} outside 0..4" in error_of(sst_spec(tmp_path, *TREES, f"({label} (2 a) (2 b))"))


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ("(3 (2 a) (2 b)", "1 '(' not closed"),
        ("(3 (2 a) (2 b)))", "')' outside the tree"),
        ("(3 (2 a) (2 ))", "')' closes a node without words"),
        ("(3 (2 a b) (2 c))", "'b' where '(' or ')' should be"),
        ("((2 a) (2 c))", "'(' where a label or ')' should be"),
        ("(3 a (2 c))", "'(' where a label or ')' should be"),
        ("3 a nice film", "'3' outside the tree"),
        ("(3 a) (2 b)", "'(' outside the tree"),
        ("()", "')' closes a node without words"),
        ("", "the line is empty"),
    ],
)
def test_sst_malformed_tree(tmp_path: Path, tree: str, reason: str) -> None:
    assert f"train.txt:2: malformed tree, {reason}" in error_of(sst_spec(tmp_path, TREES[0], tree, *TREES))


# --- files ---


def test_missing_file(tmp_path: Path) -> None:
    spec = csv_spec(tmp_path)
    spec["files"]["test"] = str(tmp_path / "nowhere.csv")
    assert error_of(spec) == f"{tmp_path}/nowhere.csv: no such file; correct corpora.mine.files.test"
    assert "dev.txt: no such file; correct corpora.mine.path" in error_of(
        {"source": "sst", "path": str(sst_without_dev(tmp_path))}
    )
    files = dict.fromkeys(SPLITS, str(tmp_path))
    parquet = {"source": "parquet", "files": files, "text": "text"}
    assert error_of(parquet) == f"{tmp_path}: not a file; correct corpora.mine.files.train"


def sst_without_dev(folder: Path) -> Path:
    sst_spec(folder, *TREES)
    (folder / "dev.txt").unlink()
    return folder


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
def test_missing_column(tmp_path: Path, source: str) -> None:
    path = tmp_path / "data"
    if source == "csv":
        path.write_text("review,stars\na,4\n")
    elif source == "jsonl":
        path.write_text('{"review": "a", "stars": 4}\n')
    else:
        pq.write_table(pa.table({"review": ["a"], "stars": [4]}), path)
    spec = csv_spec(tmp_path) | {"source": source, "files": dict.fromkeys(SPLITS, str(path))}
    message = error_of(spec)
    assert "no column 'text'" in message
    assert "has review, stars" in message
    assert str(path) in message


def test_byte_that_is_not_utf8(tmp_path: Path) -> None:
    content = b"text,stars\ngood,4\ncaf\xe9,0\n"
    message = error_of(csv_spec(tmp_path, content))
    assert "all.csv:3: byte 0xe9 at offset 21 is not UTF-8" in message
    assert content.index(b"\xe9") == 21
    path = tmp_path / "all.csv.gz"
    path.write_bytes(gzip.compress(content))
    assert "all.csv.gz:3: byte 0xe9 at offset 21" in error_of(
        csv_spec(tmp_path) | {"files": dict.fromkeys(SPLITS, str(path))}
    )
    (tmp_path / "prompts.txt").write_bytes(b"fine\n\xff\n")
    assert "prompts.txt:2: byte 0xff at offset 5" in prompt_error_of(
        {"source": "text", "path": str(tmp_path / "prompts.txt")}
    )


def test_csv_quoting_and_multiline_texts(tmp_path: Path) -> None:
    spec = csv_spec(tmp_path, '\ufefftext,stars\r\n"a ""fine"", long\nfilm",4\r\n\r\nbad\u2028one,0\r\n')
    expected = [(0, 'a "fine", long\nfilm', "positive"), (1, "bad\u2028one", "negative")]
    assert texts_of(load_corpus(spec, "mine")["train"]) == expected
    assert "all.csv:2: malformed row" in error_of(csv_spec(tmp_path, 'text,stars\n"never closed,4\n'))


def test_csv_without_header_or_quoting(tmp_path: Path) -> None:
    path = tmp_path / "all.tsv.gz"
    path.write_bytes(gzip.compress(b'x\t4\t"unbalanced\ny\t0\ta, b\n'))
    spec = csv_spec(tmp_path, separator="\t", columns=["id", "stars", "text"], quoting=False)
    spec["files"] = dict.fromkeys(SPLITS, str(path))
    assert texts_of(load_corpus(spec, "mine")["train"]) == [(0, '"unbalanced', "positive"), (1, "a, b", "negative")]


def test_csv_with_a_field_too_many(tmp_path: Path) -> None:
    assert "all.csv:3: 3 fields where 2 columns are expected" in error_of(
        csv_spec(tmp_path, "text,stars\ngood,4\nbad, really,0\n")
    )


def test_csv_with_a_field_longer_than_the_default_limit(tmp_path: Path) -> None:
    spec = csv_spec(tmp_path, f"text,stars\n{'x' * 200_000},4\nbad,0\n")
    assert len(load_corpus(spec, "mine")["train"]["text"][0]) == 200_000


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "all.csv.gz"
    path.write_bytes(gzip.compress(b"text,stars\ngood,4\nbad,0\n" * 50)[:-9])
    assert "not a whole gzip file" in error_of(csv_spec(tmp_path) | {"files": dict.fromkeys(SPLITS, str(path))})
    path.write_bytes(b"no parquet")
    spec = csv_spec(tmp_path) | {"source": "parquet", "files": dict.fromkeys(SPLITS, str(path))}
    assert "not a readable Parquet file" in error_of(spec)
    assert "the file is empty" in error_of(csv_spec(tmp_path, ""))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "cut', "malformed JSON, Unterminated string starting at at column 10"),
        ("", "malformed JSON"),
        ('["text"]', "not a JSON object but list"),
        ('{"text": null}', "the text is null, not a string"),
        ('{"text": "\\ud83d"}', "half of a surrogate pair (\\ud83d)"),
        ('{"title": "a", "body": {"text": "b"}}', "no column 'text'; the line has title, body.text"),
    ],
)
def test_bad_json_line(tmp_path: Path, line: str, reason: str) -> None:
    spec = unlabelled_spec(tmp_path, [])
    path = Path(spec["files"]["train"])
    path.write_text('{"text": "a"}\n' + line + '\n{"text": "b"}\n')
    assert f"all.jsonl:2: {reason}" in error_of(spec)


def test_parquet_source(tmp_path: Path) -> None:
    path = tmp_path / "all.parquet"
    pq.write_table(pa.table({"text": ["a", "b", "c"], "stars": [4, 0, None]}), path)
    spec = csv_spec(tmp_path) | {"source": "parquet", "files": dict.fromkeys(SPLITS, str(path))}
    assert "all.parquet, row 2: label null is in no class; drop its rows with `drop: {stars: [null]}`" in error_of(spec)
    frame = load_corpus(spec | {"drop": {"stars": [None]}}, "mine")["train"]
    assert texts_of(frame) == [(0, "a", "positive"), (1, "b", "negative")]


def test_corpus_files(tmp_path: Path) -> None:
    files = {"train": ["a.csv", "b.csv"], "dev": "c.csv"}
    assert corpus_files({"source": "csv", "files": files | {"test": "c.csv"}, "text": "text"}) == [
        "a.csv",
        "b.csv",
        "c.csv",
        "c.csv",
    ]
    assert corpus_files({"source": "sst", "path": "x"}) == ["x/train.txt", "x/dev.txt", "x/test.txt"]
    assert corpus_files({"source": "synthetic", "kind": "general", "counts": dict.fromkeys(SPLITS, 3)}) == []
    dataset = {"source": "datasets", "revision": "main", "splits": dict.fromkeys(SPLITS, "all"), "text": "text"}
    assert corpus_files({**dataset, "id": "stanfordnlp/sst2"}) == []
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "train.jsonl").touch()
    assert corpus_files({**dataset, "id": str(tmp_path)}) == [str(tmp_path / "sub" / "train.jsonl")]


# --- datasets, synthetic ---


@pytest.fixture
def local_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    folder = tmp_path / "dataset"
    folder.mkdir()
    for split in ("train", "test"):
        rows = [{"sentence": f"{split} {i}", "label": i % 2} for i in range(20)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {
        "source": "datasets",
        "id": str(folder),
        "revision": "main",
        "splits": {"train": "train", "test": "test"},
        "fractions": {"dev": 0.25},
        "text": "sentence",
        "label": "label",
        "classes": {"negative": [0], "positive": [1]},
    }


def test_dataset(local_dataset: dict[str, Any]) -> None:
    splits = load_corpus(local_dataset, "mine")
    assert {split: len(frame) for split, frame in splits.items()} == {"train": 15, "dev": 5, "test": 20}
    assert texts_of(splits["test"])[:2] == [(0, "test 0", "negative"), (1, "test 1", "positive")]


def test_dataset_errors(local_dataset: dict[str, Any]) -> None:
    message = error_of(local_dataset | {"id": "nobody/knows-this-dataset"})
    assert "corpora.mine.id: cannot load split 'train' of dataset 'nobody/knows-this-dataset'" in message
    assert "hub is reachable" in message
    message = error_of(local_dataset | {"splits": {"train": "train", "test": "validation"}})
    assert "cannot load split 'validation'" in message
    assert "no column 'text'; it has sentence, label" in error_of(local_dataset | {"text": "text"})


def test_synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def generate(*arguments: Any) -> dict[str, list[tuple[str, Any]]]:
        calls.append(arguments)
        kind = arguments[0]
        kinds: dict[str, list[Any]] = {
            "reviews": [0, 2, 4],
            "acceptability": ["acceptable", "unacceptable"],
            "general": [None],
        }
        labels = kinds[kind]
        return {split: [(f"{kind} {label}", label) for label in labels] for split in SPLITS}

    monkeypatch.setattr("lm_interpolation.data.sources.synthetic.generate", generate)
    counts, shard = {"train": 3, "dev": 3, "test": 3}, {"index": 1, "count": 2}
    spec = {"source": "synthetic", "kind": "reviews", "counts": counts, "seed": 7, "shard": shard}
    frame = load_corpus(spec, "mine")["dev"]
    expected = [(0, "reviews 0", "negative"), (1, "reviews 2", "neutral"), (2, "reviews 4", "positive")]
    assert texts_of(frame) == expected
    assert calls == [("reviews", counts, 7, (1, 2))]
    assert load_corpus(spec | {"kind": "acceptability"}, "mine")["dev"]["label"].tolist() == [
        "acceptable",
        "unacceptable",
    ]
    assert texts_of(load_corpus(spec | {"kind": "general"}, "mine")["test"]) == [(0, "general None", None)]
    assert "the source has no labels" in error_of(spec | {"kind": "general", "classes": {"a": [1]}})


def test_synthetic_texts_of_the_real_generator() -> None:
    spec = {"source": "synthetic", "kind": "reviews", "counts": {"train": 20, "dev": 10, "test": 10}}
    frame = load_corpus(spec, "mine")["train"]
    assert frame["label"].value_counts().to_dict() == {"negative": 8, "neutral": 4, "positive": 8}


def test_topics() -> None:
    spec = {"source": "topics", "counts": {"train": 50, "dev": 25, "test": 25}, "seed": 3}
    frame = load_corpus(spec, "mine")["train"]
    assert frame["label"].value_counts().to_dict() == {"arts": 30, "places": 20}
    some = {"classes": {"film": ["film"], "stay": ["hotel"]}, "drop": {"topic": ["book", "album", "restaurant"]}}
    frame = load_corpus(spec | some | {"drop": some["drop"] | {"level": [2]}}, "mine")["train"]
    assert frame["label"].value_counts().to_dict() == {"film": 8, "stay": 8}
    assert "label 'album' is in no class" in error_of(
        spec | {"classes": {"all": ["film", "book", "hotel", "restaurant"]}}
    )
    assert "no column 'place'; it has text, topic, level" in error_of(spec | {"drop": {"place": [1]}})


# --- written splits ---


def test_write_and_read(tmp_path: Path) -> None:
    paths = {split: tmp_path / "out" / f"{split}.parquet" for split in SPLITS}
    corpora.write_corpus(load_corpus(csv_spec(tmp_path), "mine"), paths)
    schema = pa.schema([("row", pa.int64()), ("text", pa.string()), ("label", pa.string())])
    assert pq.read_schema(paths["dev"]).equals(schema)
    assert read_corpus_split(paths["train"]) == ["good", "bad"]
    assert read_corpus_split(paths["train"], "negative") == ["bad"]
    with pytest.raises(UserError, match=re.escape("no text of class 'neutral'; its classes are negative, positive")):
        read_corpus_split(paths["train"], "neutral")

    corpora.write_corpus(load_corpus(unlabelled_spec(tmp_path, ["text"] * 10), "mine"), paths)
    assert pq.read_schema(paths["dev"]).equals(schema)
    assert pq.read_table(paths["train"])["label"].null_count == 7
    assert read_corpus_split(paths["dev"]) == ["text"]
    with pytest.raises(UserError, match="it has no labels"):
        read_corpus_split(paths["train"], "positive")
    pq.write_table(schema.empty_table(), paths["test"])
    with pytest.raises(UserError, match="no texts"):
        read_corpus_split(paths["test"])


# --- prompts ---


def test_prompts_from_a_list_keep_their_spaces(tmp_path: Path) -> None:
    frame = load_prompts({"source": "list", "texts": [" The film", "I", "I"]}, "mine")
    assert frame.to_dict("list") == {"row": [0, 1, 2], "text": [" The film", "I", "I"]}
    corpora.write_prompts(frame, tmp_path / "prompts.parquet")
    table = pq.read_table(tmp_path / "prompts.parquet")
    assert table.schema.equals(pa.schema([("row", pa.int64()), ("text", pa.string())]))
    assert table.to_pydict() == frame.to_dict("list")


@pytest.mark.parametrize("content", ["One \r\nTwo\r\n", "One \nTwo", "One \nTwo\n"])
def test_prompts_from_text(tmp_path: Path, content: str) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(content.encode())
    spec = {"source": "text", "path": str(path)}
    assert load_prompts(spec, "mine")["text"].tolist() == ["One ", "Two"]
    assert check_prompts(spec, "mine").input_files() == [str(path)]
    assert check_prompts({"source": "list", "texts": ["a"]}, "mine").input_files() == []


def test_prompts_from_jsonl_and_sampling(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": {"text": f"Prompt {i}"}}) for i in range(30)))
    spec = {"source": "jsonl", "path": str(path), "text": "prompt.text"}
    assert load_prompts(spec, "mine")["row"].tolist() == list(range(30))
    sample = load_prompts(spec | {"sample": 10}, "mine")
    assert len(sample) == 10
    assert sample["row"].is_monotonic_increasing
    assert sample["text"].tolist() == [f"Prompt {row}" for row in sample["row"]]
    assert load_prompts(spec | {"sample": 10, "seed": 0}, "mine").equals(sample)
    assert not load_prompts(spec | {"sample": 10, "seed": 1}, "mine").equals(sample)
    assert "prompts.mine.sample: 31 prompts wanted, but the source has 30" in prompt_error_of(spec | {"sample": 31})
    assert "no column 'text'; the line has prompt.text" in prompt_error_of(spec | {"text": "text"})


def test_empty_prompts(tmp_path: Path) -> None:
    assert "prompts.mine.texts[1]: empty prompt" in prompt_error_of({"source": "list", "texts": ["a", " "]})
    path = tmp_path / "prompts"
    path.write_text("a\n\nb\n")
    assert "prompts:2: empty prompt" in prompt_error_of({"source": "text", "path": str(path)})
    path.write_text('{"text": "a"}\n{"text": ""}\n')
    assert "prompts:2: empty prompt" in prompt_error_of({"source": "jsonl", "path": str(path), "text": "text"})
    path.write_text("")
    assert "prompts.mine: no prompts" in prompt_error_of({"source": "text", "path": str(path)})


# --- real data ---


@needs_data
def test_real_sst_counts() -> None:
    splits = load_corpus({"source": "sst", "path": str(DATA / "sst")}, "sst")
    counts = {split: frame["label"].value_counts().to_dict() for split, frame in splits.items()}
    assert counts == {
        "train": {"positive": 3610, "neutral": 1624, "negative": 3310},
        "dev": {"positive": 444, "neutral": 229, "negative": 428},
        "test": {"positive": 909, "neutral": 389, "negative": 912},
    }


@needs_data
def test_real_sst_texts_equal_the_other_release() -> None:
    # The same sentences, lowercased; the two releases write brackets and accents differently.
    text = load_corpus({"source": "sst", "path": str(DATA / "sst")}, "sst")["test"]["text"]
    other = {line.split(" ", 1)[1].strip() for line in (DATA / "sst" / "stsa.fine.test").read_text().splitlines()}
    assert sum(sentence.lower() in other for sentence in text) > 0.95 * len(text)


@needs_data
@pytest.mark.parametrize(
    ("kind", "count", "unique"), [("neutral", 5000, 4983), ("positive", 2500, 2453), ("negative", 2500, 2408)]
)
def test_real_prompts(kind: str, count: int, unique: int) -> None:
    path = DATA / "prompts" / f"{kind}_prompts.jsonl"
    prompts = load_prompts({"source": "jsonl", "path": str(path), "text": "prompt.text"}, "dexperts")
    assert (len(prompts), prompts["text"].nunique()) == (count, unique)


@needs_data
def test_real_cola() -> None:
    spec = {
        "source": "csv",
        "files": {
            "train": str(DATA / "cola" / "in_domain_train.tsv"),
            "dev": str(DATA / "cola" / "in_domain_dev.tsv"),
            "test": str(DATA / "cola" / "out_of_domain_dev.tsv"),
        },
        "separator": "\t",
        "columns": ["source", "acceptable", "mark", "sentence"],
        "quoting": False,
        "text": "sentence",
        "label": "acceptable",
        "classes": {"acceptable": [1], "unacceptable": [0]},
    }
    splits = load_corpus(spec, "cola")
    counts = {split: frame["label"].value_counts().to_dict() for split, frame in splits.items()}
    assert counts == {
        "train": {"acceptable": 6023, "unacceptable": 2528},
        "dev": {"acceptable": 365, "unacceptable": 162},
        "test": {"acceptable": 354, "unacceptable": 162},
    }


@needs_data
def test_real_imdb_ratings() -> None:
    spec = {
        "source": "csv",
        "files": {"train": [str(DATA / "imdb" / f"train_{sign}.tsv.gz") for sign in ("pos", "neg")]},
        "fractions": {"dev": 0.05, "test": 0.05},
        "separator": "\t",
        "columns": ["id", "rating", "text"],
        "quoting": False,
        "text": "text",
        "label": "rating",
        "classes": {"negative": [1, 2, 3, 4], "positive": [7, 8, 9, 10]},
        "drop": {"id": list(range(15))},
        "replace": {"<br />": " "},
        "max_words": 40,
        "limit": {"train": 20000},
    }
    splits = load_corpus(spec, "imdb")
    assert len(splits["train"]) == 20000
    documents = pd.concat(splits.values())
    assert max(len(text.split()) for text in documents["text"]) == 40
    assert not documents["text"].str.contains("<br />", regex=False).any()
    # 12,500 reviews of each kind, the first 15 dropped.
    assert documents["row"].min() >= 15
    assert not set(documents["row"]) & set(range(12500, 12515))
    assert (documents["row"].lt(12500) == documents["label"].eq("positive")).all()


# --- the hub: files of a repository, and streams


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder for the files of the data set someone/texts, the only one in the hub's cache, without network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return add_repository(tmp_path / "hub", "dataset", "someone/texts")


HUB = {"source": "hub", "id": "someone/texts", "revision": "main", "text": "text"}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_stream(repository: Path) -> dict[str, Any]:
    """Three files for training, and three for dev with four texts each; the last of these is broken."""
    for shard in range(3):
        write_rows(repository / "en" / f"train.{shard}.json.gz", [{"text": f"train {shard}"}])
        texts = [f"dev {shard} {k}" for k in range(4)]
        write_rows(repository / "en" / f"dev.{shard}.json.gz", [{"text": f" {text} "} for text in ["", *texts]])
    (repository / "en" / "dev.2.json.gz").write_bytes(b"broken")
    files = {"train": "en/train.*.json.gz", "dev": "en/dev.*.json.gz"}
    return {**HUB, "files": files, "stream": True, "limit": {"dev": 6}}


def test_hub_files_are_read_by_their_endings(repository: Path) -> None:
    write_rows(repository / "train-1.jsonl", [{"text": "b", "label": 0}])
    write_rows(repository / "train-0.jsonl", [{"text": "a", "label": 4}])
    (repository / "dev.csv").write_text("text,label\nc,4\nd,0\n")
    pq.write_table(pa.table({"text": ["e", "f"], "label": [0, 4]}), repository / "test.parquet")
    files = {"train": "train-*.jsonl", "dev": "dev.csv", "test": ["test.parquet"]}
    spec = {**HUB, "files": files, "label": "label", "classes": {"positive": [4], "negative": [0]}}
    frames = load_corpus(spec, "mine")
    assert texts_of(frames["train"]) == [(0, "a", "positive"), (1, "b", "negative")]
    assert texts_of(frames["dev"]) == [(0, "c", "positive"), (1, "d", "negative")]
    assert texts_of(frames["test"]) == [(0, "e", "negative"), (1, "f", "positive")]


def test_hub_corpus_locks_its_revision(repository: Path, tmp_path: Path) -> None:
    write_rows(repository / "all.jsonl", [{"text": str(k)} for k in range(9)])
    spec = {**HUB, "files": {"train": "all.jsonl"}, "fractions": {"dev": 0.2, "test": 0.2}}
    lock = tmp_path / "lock.yaml"
    load_corpus(spec, "mine", str(lock))
    assert commit_of("dataset", "someone/texts") in lock.read_text()
    point_main_at(tmp_path / "hub", "dataset", "someone/texts", "0" * 40)
    with pytest.raises(UserError, match="revision main of dataset someone/texts was"):
        load_corpus(spec, "mine", str(lock))


def test_hub_errors_name_the_key(repository: Path) -> None:
    write_rows(repository / "all.jsonl", [{"text": "a"}])
    fractions = {"dev": 0.2, "test": 0.2}
    message = error_of({**HUB, "files": {"train": "some*.jsonl"}, "fractions": fractions})
    assert message.startswith("corpora.mine.files.train: no file of dataset someone/texts matches 'some*.jsonl'")
    message = error_of({**HUB, "files": {"train": "all.txt.zip"}, "fractions": fractions})
    assert message.startswith("config: corpora.mine.files.train: all.txt.zip ends in none of .csv, ")
    message = error_of({**HUB, "files": {"train": "all.jsonl"}, "fractions": fractions, "text": "body"})
    assert "all.jsonl:1: no column 'body'; the line has text" in message


def test_stream_is_a_list_of_files_and_a_dev_split(repository: Path, tmp_path: Path) -> None:
    spec = write_stream(repository)
    lock = tmp_path / "lock.yaml"
    shards, dev = load_stream(spec, "mine", str(lock))
    commit = commit_of("dataset", "someone/texts")
    assert shards == ShardList("someone/texts", commit, tuple(f"en/train.{k}.json.gz" for k in range(3)), "text")
    assert commit in lock.read_text()
    # Of the 8 texts of the first two files, 6 in their order; the third file is not touched. Rows count empty texts.
    texts = {row: f"dev {row // 5} {row % 5 - 1}" for row in range(10) if row % 5}
    assert len(dev) == 6
    assert dev["row"].is_monotonic_increasing
    assert texts_of(dev) == [(row, texts[row], None) for row in dev["row"]]
    # A smaller subset is part of a larger one, and another seed gives another one.
    _, one = load_stream({**spec, "limit": {"dev": 5}}, "mine")
    assert set(one["row"]) < set(dev["row"])
    assert any(set(load_stream({**spec, "seed": seed}, "mine")[1]["row"]) != set(dev["row"]) for seed in (1, 2, 3))


def test_stream_needs_enough_dev_texts(repository: Path) -> None:
    spec = write_stream(repository)
    (repository / "en" / "dev.2.json.gz").unlink()
    with pytest.raises(UserError, match=r"corpora\.mine\.limit\.dev: the files of dev have only 8 texts; lower it"):
        load_stream({**spec, "limit": {"dev": 9}}, "mine")
    assert len(load_stream({**spec, "limit": {"dev": 8}}, "mine")[1]) == 8


def test_stream_names_a_broken_dev_file(repository: Path) -> None:
    with pytest.raises(UserError, match=r"dev\.2\.json\.gz: not a whole gzip file"):
        load_stream({**write_stream(repository), "limit": {"dev": 9}}, "mine")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"label": "label", "classes": {"a": [1]}}, "corpora.mine.classes: a stream is read as it is"),
        ({"replace": {"a": "b"}}, "corpora.mine.replace: a stream is read as it is"),
        ({"fractions": {"dev": 0.1}}, "corpora.mine.fractions: a stream is read as it is"),
        ({"limit": {"train": 5}}, "corpora.mine: a stream needs files.dev and limit.dev"),
        ({"limit": {"train": 5, "dev": 5}}, "corpora.mine.limit.train: a stream has no use for it"),
        ({"separator": ";"}, "corpora.mine.separator: a stream is read as it is"),
        ({"files": {"train": "a.json"}}, "corpora.mine: a stream needs files.dev and limit.dev"),
        ({"files": {"train": "a.json", "dev": "b.json", "test": "c.json"}}, "corpora.mine.files.test: a stream has no"),
        ({"files": {"train": "a.json", "dev": "b.parquet"}}, "corpora.mine.files: b.parquet is not JSON lines"),
        ({"source": "jsonl"}, "corpora.mine.id: source jsonl has no use for it"),
    ],
)
def test_stream_takes_no_further_steps(change: dict[str, Any], expected: str) -> None:
    files = {"train": "a.json", "dev": "b.json.gz"}
    with pytest.raises(UserError) as caught:
        check_corpus({**HUB, "files": files, "stream": True, "limit": {"dev": 5}} | change, "mine")
    assert str(caught.value).startswith(f"config: {expected}")

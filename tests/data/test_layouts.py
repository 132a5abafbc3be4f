"""Common layouts of plain text: files per class and split, labels in a file of their own or before the text, one
document per file."""

import copy
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.dag import copy_workflow
from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study.config import declare
from tests.reading import check_corpus, check_files, class_names, corpus_files, load_corpus
from tests.study.test_study import CONFIG, dry_run, planned, write_config

pytestmark = pytest.mark.usefixtures("warm_python")

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent")
FRACTIONS = {"dev": 0.2, "test": 0.2}


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def error_of(spec: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        load_corpus(spec, "mine")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rows_of(spec: dict[str, Any], split: str) -> list[tuple[int, str, str | None]]:
    frame = load_corpus(spec, "mine")[split]
    return list(zip(frame["row"].tolist(), frame["text"].tolist(), frame["label"].tolist(), strict=True))


# --- one file per class and split ---


@pytest.fixture
def yelp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path,
        {f"{split}.{label}": f"{split} {label} a\n{split} {label} b\n" for split in SPLITS for label in (0, 1)},
    )
    return {
        "source": "lines",
        "class_files": {
            "positive": {split: f"{split}.1" for split in SPLITS},
            "negative": {"train": ["train.0"], "dev": "dev.0", "test": "test.0"},
        },
    }


def test_files_of_each_class_and_split(yelp: dict[str, Any]) -> None:
    assert class_names(yelp) == ["negative", "positive"]
    assert corpus_files(yelp) == ["train.1", "train.0", "dev.1", "dev.0", "test.1", "test.0"]
    assert rows_of(yelp, "dev") == [
        (0, "dev 1 a", "positive"),
        (1, "dev 1 b", "positive"),
        (2, "dev 0 a", "negative"),
        (3, "dev 0 b", "negative"),
    ]
    for name, files in yelp["class_files"].items():
        del files["test"]
        write(Path(), {f"{name}.txt": "".join(f"{name} {i}\n" for i in range(20))})
        files["train"] = f"{name}.txt"
    spec = yelp | {"fractions": {"test": 0.5}}
    assert [len(frame) for frame in load_corpus(spec, "mine").values()] == [20, 4, 20]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"positive": {"train": "train.1", "dev": "dev.1", "test": "test.1"}, "negative": "train.0"},
            "class_files.negative: has files without a split, but positive has files of train, dev, test; give all",
        ),
        (
            {"positive": {"train": "train.1", "dev": "dev.1"}, "negative": {"train": "train.0"}},
            "class_files.negative: has files of train, but positive has files of train, dev; give all classes the same",
        ),
        ({"positive": {"train": "train.1"}, "negative": {"train": "train.0"}}, "mine: no source for the dev split"),
    ],
)
def test_classes_that_do_not_fit_each_other(yelp: dict[str, Any], files: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        check_corpus(yelp | {"class_files": files}, "mine")


def test_a_missing_file_of_a_class_names_its_split(yelp: dict[str, Any]) -> None:
    Path("dev.0").unlink()
    with pytest.raises(UserError, match=r"corpora\.mine\.class_files\.negative\.dev: no file dev\.0; correct the path"):
        check_files({"mine": yelp}, {})


# --- texts and labels in two files ---


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Three texts with labels per split, train in two files."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {f"{split}.txt": f"{split} a\n\n{split} b\n" for split in SPLITS})
    write(tmp_path, {f"{split}.labels": "1\n0\n0 \n" for split in SPLITS})
    write(tmp_path, {"more.txt": "more a\nmore b", "more.labels": "0.0\n1"})
    texts, labels = ({split: f"{split}.{end}" for split in SPLITS} for end in ("txt", "labels"))
    return {
        "source": "lines",
        "files": {**texts, "train": ["train.txt", "more.txt"]},
        "label_files": {**labels, "train": ["train.labels", "more.labels"]},
        "classes": {"hate": [1], "other": [0]},
    }


def test_texts_and_labels_in_two_files(pairs: dict[str, Any]) -> None:
    # Rows count the lines of all files, empty ones too, whose labels are left out with them.
    assert rows_of(pairs, "train") == [
        (0, "train a", "hate"),
        (2, "train b", "other"),
        (3, "more a", "other"),
        (4, "more b", "hate"),
    ]
    assert set(corpus_files(pairs)) == {str(path) for path in Path().iterdir()}
    write(Path(), {"train.labels": "1\n\n0\n"})
    assert "no row has null" not in error_of(pairs | {"drop": {"label": [None, 7]}})
    assert len(load_corpus(pairs | {"drop": {"label": [None]}}, "mine")["train"]) == 4


@pytest.mark.parametrize("labels", ["1\n0\n", "1\n0\n0\n0\n", ""])
def test_as_many_labels_as_texts(pairs: dict[str, Any], labels: str) -> None:
    write(Path(), {"dev.labels": labels})
    count = labels.count("\n")
    assert error_of(pairs) == f"dev.labels: {count} lines of labels for the 3 lines of dev.txt; give one for each"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_files": {"train": ["train.labels", "more.labels"]}}, "label_files.dev: 0 files of labels for 1 files"),
        ({"label_files": {"train": "train.labels"}}, "label_files.train: 1 files of labels for 2 files of texts; give"),
        ({"leading_label": True}, "leading_label: the labels are in label_files; remove one of the two"),
        ({"source": "documents"}, "label_files: source documents has no use for it"),
        ({"label": "stars"}, "label: source lines has no use for it"),
    ],
)
def test_errors_of_label_files(pairs: dict[str, Any], change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"corpora.mine.{message}")):
        check_corpus(pairs | change, "mine")


def test_labels_need_classes(pairs: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"corpora\.mine\.classes: missing; map the values of 'label' to classes"):
        check_corpus({key: value for key, value in pairs.items() if key != "classes"}, "mine")


def test_a_missing_file_of_labels_is_told_before_anything_runs(pairs: dict[str, Any]) -> None:
    Path("more.labels").unlink()
    with pytest.raises(UserError, match=r"corpora\.mine\.label_files\.train: no file more\.labels"):
        check_files({"mine": pairs}, {})


# --- a label before the text ---


def leading_spec(folder: Path, content: str, **classes: list[Any]) -> dict[str, Any]:
    write(folder, {"all.txt": content})
    files = dict.fromkeys(SPLITS, str(folder / "all.txt"))
    return {"source": "lines", "files": files, "leading_label": True, "classes": classes}


def test_a_label_before_the_text(tmp_path: Path) -> None:
    spec = leading_spec(tmp_path, "4 a fine film .\n0\ta bad  one\n\n2 so-so\n3\n", positive=[3, 4], negative=[0, 1])
    assert f"{tmp_path}/all.txt:4: label '2' is in no class" in error_of(spec)
    assert rows_of(spec | {"drop": {"label": [2]}}, "test") == [
        (0, "a fine film .", "positive"),
        (1, "a bad  one", "negative"),
    ]


def test_labels_of_fasttext(tmp_path: Path) -> None:
    spec = leading_spec(tmp_path, "__label__yes Go on\n__label__no Stop\n", good=["__label__yes"], bad=["__label__no"])
    assert rows_of(spec, "dev") == [(0, "Go on", "good"), (1, "Stop", "bad")]
    spec = leading_spec(tmp_path, "__label__yes Go on\n__label__no __label__yes Stop\n", good=["__label__yes"])
    assert error_of(spec) == f"{tmp_path}/all.txt:2: two labels, __label__no and __label__yes; leave one to each text"
    spec = leading_spec(tmp_path, "yes Go on\nno Stop\n", good=[True], bad=[False])
    assert "all.txt:1: label 'yes' is in no class (YAML reads yes without quotes as true" in error_of(spec)


def test_leading_labels_need_classes(tmp_path: Path) -> None:
    spec = leading_spec(tmp_path, "1 a\n", good=[1])
    with pytest.raises(UserError, match=r"mine\.classes: the source has no labels; name label_files or leading_label"):
        check_corpus(spec | {"leading_label": False}, "mine")
    with pytest.raises(UserError, match=r"mine\.leading_label: source lines takes its classes from class_files"):
        check_corpus(
            {"source": "lines", "class_files": {"a": "a"}, "leading_label": True, "fractions": FRACTIONS}, "mine"
        )


@needs_data
def test_real_leading_labels_are_those_of_the_trees() -> None:
    files = {split: str(DATA / "sst" / f"stsa.fine.{split}") for split in SPLITS}
    classes = {"negative": [0, 1], "neutral": [2], "positive": [3, 4]}
    spec = {"source": "lines", "files": files, "leading_label": True, "classes": classes}
    frames = load_corpus(spec, "sst")
    trees = load_corpus({"source": "sst", "path": str(DATA / "sst")}, "trees")
    for split in SPLITS:
        assert frames[split]["label"].value_counts().to_dict() == trees[split]["label"].value_counts().to_dict()


# --- one document per file ---


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    for name in ("pos", "neg"):
        write(tmp_path, {f"{name}/{i:02}.txt": f"{name} {i}\n\nand more\n" for i in range(10)})
        write(tmp_path, {f"{name}/.hidden": "hidden", f"{name}/sub/deep.txt": f"{name} deep", f"{name}/note.md": name})
    return {"source": "documents", "class_files": {"positive": "pos", "negative": "neg"}, "fractions": FRACTIONS}


def all_rows(spec: dict[str, Any]) -> list[tuple[int, str, str | None]]:
    return sorted(row for split in SPLITS for row in rows_of(spec, split))


def test_a_folder_of_documents_per_class(films: dict[str, Any]) -> None:
    texts = [
        (f"{name} {i}\n\nand more", label)
        for name, label in (("pos", "positive"), ("neg", "negative"))
        for i in range(10)
    ]
    texts.insert(10, ("pos", "positive"))
    expected = [*texts, ("neg", "negative")]
    assert all_rows(films) == [(row, text, label) for row, (text, label) in enumerate(expected)]


@pytest.mark.parametrize(
    ("paths", "count"),
    [
        ("pos/*.txt", 10),
        ("pos/**/*.txt", 11),
        ("**/*.txt", 22),
        (["pos/0?.txt", "neg"], 21),
        (["pos/00.txt", "neg/*.md"], 2),
    ],
)
def test_folders_globs_and_files(films: dict[str, Any], paths: str | list[str], count: int) -> None:
    spec = {"source": "documents", "files": {"train": paths, "dev": "pos/sub", "test": "neg/sub"}}
    if paths in ("pos/**/*.txt", "**/*.txt"):
        spec["files"] |= {"dev": "pos/note.md", "test": "neg/note.md"}
    assert len(load_corpus(spec, "mine")["train"]) == count


def test_documents_of_each_class_and_split(films: dict[str, Any]) -> None:
    films["class_files"] = {
        "positive": {"train": "pos/0[0-5].txt", "dev": "pos/0[6-9].txt"},
        "negative": {"train": "neg", "dev": "neg/sub"},
    }
    frames = load_corpus(films | {"fractions": {"test": 0.3}}, "mine")
    assert frames["dev"]["label"].tolist() == ["positive"] * 4 + ["negative"]
    assert len(frames["train"]) + len(frames["test"]) == 17


def test_a_file_whose_name_looks_like_a_glob(films: dict[str, Any]) -> None:
    write(Path(), {"odd[1].txt": "odd"})
    spec = {"source": "documents", "files": {"train": "odd[1].txt", "dev": "pos", "test": "neg"}}
    assert rows_of(spec, "train") == [(0, "odd", None)]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "no file or folder nowhere; correct the path (relative ones start at "),
        ("pos/*.text", "no file matches pos/*.text; correct it (relative paths start at "),
        ("pos/s*", "no file matches pos/s*; correct it"),
        ("outer", "no file in the folder outer; to read its subfolders give outer/**/*"),
    ],
)
def test_paths_without_documents_are_told_before_anything_runs(
    films: dict[str, Any], path: str, message: str, tmp_path: Path
) -> None:
    write(tmp_path, {"outer/inner/a.txt": "a"})
    films["class_files"]["negative"] = path
    with pytest.raises(UserError, match=re.escape(f"config: corpora.mine.class_files.negative: {message}")):
        check_files({"mine": films}, {})


def test_a_document_belongs_to_one_class_and_split(films: dict[str, Any]) -> None:
    films["class_files"]["negative"] = ["neg", "./pos/0*.txt"]
    assert error_of(films) == (
        "corpora.mine.class_files.negative: ./pos/00.txt is also among the files of class_files.positive; take it out "
        "of one"
    )


def test_an_empty_document_is_left_out_and_counted(films: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    write(Path(), {"pos/empty.txt": " \n"})
    assert len(all_rows(films)) == 22
    assert "1 empty texts of 23 rows" in capsys.readouterr().err


def test_documents_in_another_encoding_name_the_file(films: dict[str, Any]) -> None:
    Path("pos/05.txt").write_bytes(b"caf\xe9")
    assert error_of(films).startswith("pos/05.txt:1: byte 0xe9 at offset 3 is not UTF-8; it may be cp1252")
    assert ("café", "positive") in [row[1:] for row in all_rows(films | {"encoding": "cp1252"})]


@pytest.mark.snakemake
@pytest.mark.slow
def test_snakemake_notices_changed_documents(films: dict[str, Any], tmp_path: Path) -> None:
    copy_workflow(tmp_path)
    config = copy.deepcopy(CONFIG)
    config["corpora"]["films"] = films
    name = write_config(tmp_path, config)
    target = "results/small/corpora/films/train.parquet"

    def snakemake(*arguments: str) -> list[str]:
        return planned(dry_run(tmp_path, target, "--configfile", name, *arguments))

    done = subprocess.run(
        [sys.executable, "-m", "snakemake", target, "--cores", "1", "--configfile", name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert snakemake() == []
    old = Path("pos/03.txt").stat().st_mtime
    Path("pos/03.txt").write_text("POS 3\n\nand more\n")
    assert snakemake() == ["Read corpus films"]
    write(Path(), {"pos/03.txt": "pos 3\n\nand more\n"})
    os.utime("pos/03.txt", (old, old))
    Path("neg/new.txt").write_text("another")
    os.utime("neg/new.txt", (old, old))
    assert snakemake() == ["Read corpus films"]


def test_layouts_are_checked_by_the_schema(films: dict[str, Any]) -> None:
    config = copy.deepcopy(CONFIG)
    config["corpora"]["films"] = films
    declare(config)
    films["class_files"]["positive"] = {"dev": "pos"}
    with pytest.raises(UserError, match=r"key 'train' is missing at corpora\.films\.class_files\.positive"):
        declare(config)
    films["class_files"]["positive"] = {"train": "pos", "validation": "x"}
    with pytest.raises(UserError, match=r"unknown key 'validation' at corpora\.films\.class_files\.positive"):
        declare(config)
    films["class_files"]["positive"] = 3
    with pytest.raises(UserError, match=r"corpora\.films\.class_files\.positive is 3; give "):
        declare(config)


@needs_data
def test_real_cola_as_folders_of_documents(tmp_path: Path) -> None:
    names = {"train": "in_domain_train", "dev": "in_domain_dev", "test": "out_of_domain_dev"}
    table = {
        "source": "csv",
        "files": {split: str(DATA / "cola" / f"{name}.tsv") for split, name in names.items()},
        "columns": ["source", "label", "mark", "text"],
        "separator": "\t",
        "quoting": False,
        "text": "text",
        "label": "label",
        "classes": {"good": [1], "bad": [0]},
    }
    frames = load_corpus(table, "table")
    for split, frame in frames.items():
        write(tmp_path, {f"{split}/{row.label}/{row.row:05}.txt": f"{row.text}\n" for row in frame.itertuples()})
    folders = {name: {split: str(tmp_path / split / name) for split in SPLITS} for name in ("good", "bad")}
    found = load_corpus({"source": "documents", "class_files": folders}, "folders")
    for split, frame in frames.items():
        pairs = (sorted(zip(one["text"], one["label"], strict=True)) for one in (frame, found[split]))
        assert next(pairs) == next(pairs)

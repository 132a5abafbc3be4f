"""Values of `drop` and `classes` are compared by type, in every format."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lm_interpolation.data.raw_values import cell_keys, show_value, value_key
from lm_interpolation.jobs.runtime import UserError
from tests.reading import check_corpus, load_corpus

ROWS = [
    {"text": f"text {i}", "toxic": i % 2 == 0, "stars": float(i % 4), "split": None if i % 4 == 0 else "a"}
    for i in range(40)
]
FRACTIONS = {"dev": 0.25, "test": 0.25}


def spec_of(folder: Path, source: str, rows: list[dict[str, Any]] = ROWS, **more: Any) -> dict[str, Any]:
    """The rows in a file of this format; CSV as pandas writes it."""
    path = folder / f"rows.{source}"
    if source == "csv":
        cells = [["" if value is None else str(value) for value in row.values()] for row in rows]
        path.write_text("\n".join(map(",".join, [list(rows[0]), *cells])) + "\n")
    elif source == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return {"source": source, "files": {"train": str(path)}, "text": "text", "fractions": FRACTIONS} | more


def texts_left(spec: dict[str, Any]) -> int:
    return sum(map(len, load_corpus(spec, "mine").values()))


def error_of(spec: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        load_corpus(spec, "mine")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("column", "value", "left"),
    [
        ("toxic", True, 20),
        ("toxic", False, 20),
        ("stars", 0, 30),
        ("stars", 0.0, 30),
        ("split", None, 30),
        ("split", "a", 10),
        ("text", "text 7", 39),
    ],
)
def test_drop_compares_values_as_what_they_are(tmp_path: Path, source: str, column: str, value: Any, left: int) -> None:
    assert texts_left(spec_of(tmp_path, source, drop={column: [value]})) == left


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("toxic", "yes", "no row has 'yes' there; correct or remove it, the column has "),
        ("toxic", 1, "no row has 1 there; correct or remove it, the column has "),
        ("stars", 7, "no row has 7 there; correct or remove it, the column has "),
        ("stars", None, "no row has null there; correct or remove it, the column has "),
        ("split", "b", "no row has 'b' there; correct or remove it, the column has 'a', "),
    ],
)
def test_a_value_of_drop_that_no_row_has(tmp_path: Path, source: str, column: str, value: Any, shown: str) -> None:
    assert error_of(spec_of(tmp_path, source, drop={column: [value]})).startswith(
        f"corpora.mine.drop.{column}: {shown}"
    )


def test_a_value_of_drop_may_occur_in_one_split_only(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "csv", drop={"stars": [9]})
    (tmp_path / "dev.csv").write_text("text,stars\none,9\ntwo,1\n")
    spec |= {"files": {**spec["files"], "dev": str(tmp_path / "dev.csv")}, "fractions": {"test": 0.25}}
    assert texts_left(spec) == 41


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
def test_classes_compare_values_as_what_they_are(tmp_path: Path, source: str) -> None:
    for label, classes in (
        ("toxic", {"toxic": [True], "fine": [False]}),
        ("stars", {"low": [0, 1], "high": [2, 3]}),
    ):
        spec = spec_of(tmp_path, source, label=label, classes=classes)
        frames = load_corpus(spec, "mine")
        found = {
            text: name for frame in frames.values() for text, name in zip(frame["text"], frame["label"], strict=True)
        }
        for row in ROWS:
            expected = {"toxic": row["toxic"] is True, "fine": row["toxic"] is False}
            expected |= {"low": row["stars"] < 2, "high": row["stars"] >= 2}
            assert expected[found[row["text"]]], row


def test_words_that_yaml_reads_as_booleans(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "toxic": ("no", "Yes")[i % 2]} for i in range(40)]
    spec = spec_of(tmp_path, "csv", rows)
    message = error_of(spec | {"drop": {"toxic": [False]}})
    assert "no row has false there (YAML reads no without quotes as false: write 'no')" in message
    classes = {"label": "toxic", "classes": {"toxic": [True], "fine": [False]}}
    message = error_of(spec | classes)
    assert "label 'no' is in no class (YAML reads no without quotes as false: write 'no'); add it" in message
    rows = [{"text": f"text {i}", "light": ("off", "on")[i % 2]} for i in range(40)]
    message = error_of(spec_of(tmp_path, "jsonl", rows, drop={"light": [True]}))
    assert "no row has true there (YAML reads on without quotes as true: write 'on')" in message
    assert texts_left(spec_of(tmp_path, "jsonl", rows, drop={"light": ["on"]})) == 20


@pytest.mark.parametrize(
    ("one", "other"), [(3, "3"), ("3", 3.0), (True, "True"), ("false", False), (0, "0.0"), (1, 1.0), ("a", "a")]
)
def test_labels_that_one_cell_may_answer_to_belong_to_one_class(one: Any, other: Any) -> None:
    spec = {"source": "csv", "files": {"train": "x.csv"}, "fractions": FRACTIONS, "text": "text", "label": "label"}
    check_corpus(spec | {"classes": {"first": [one, other]}}, "mine")
    with pytest.raises(
        UserError, match=r"corpora\.mine\.classes\.second: label .* is also in first; keep it in one class"
    ):
        check_corpus(spec | {"classes": {"first": [one], "second": [other]}}, "mine")


def test_what_differs_stays_apart() -> None:
    for value, cell in ((True, 1), (1, True), (0, False), ("null", None), (None, ""), (None, "null"), ("3", "3.0")):
        assert value_key(value) not in cell_keys(cell, untyped=False), (value, cell)
    # A missing number is NaN in Parquet files that pandas has not written. An empty cell says nothing in CSV only.
    assert value_key(None) in cell_keys(float("nan"), untyped=False)
    assert value_key(None) in cell_keys(" ", untyped=True)
    assert value_key(12345678901234567890) not in cell_keys("12345678901234567891", untyped=True)
    assert value_key(1) not in cell_keys("1" + "0" * 5000 + "e99999999", untyped=True)


def test_show_value() -> None:
    assert [show_value(value) for value in (None, True, 3.0, "3", "x" * 50)] == [
        "null",
        "true",
        "3",
        "'3'",
        "'" + "x" * 36 + "...",
    ]

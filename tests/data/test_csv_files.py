"""Quotes in CSV: texts that span lines are reported, rows swallowed by a stray quote are an error."""

from pathlib import Path
from typing import Any

import pytest

from lm_interpolation.jobs.runtime import UserError
from tests.reading import load_corpus

SPLITS = ("train", "dev", "test")


def spec_of(folder: Path, lines: list[str], **more: Any) -> dict[str, Any]:
    path = folder / "all.csv"
    path.write_text("\n".join(lines) + "\n")
    return {"source": "csv", "files": dict.fromkeys(SPLITS, str(path)), "text": "text"} | more


def error_of(spec: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        load_corpus(spec, "mine")
    assert "\n" not in str(caught.value)
    return str(caught.value)


TABS = {"separator": "\t", "label": "label", "classes": {"a": [0], "b": [1]}}
PLAIN = [f"{i % 2}\tplain {i}" for i in range(20)]
SWALLOWED = ['0\t"He said so', "1\ta good film", "0\ta bad film", '1\tshe left"']


def test_a_quote_that_swallows_rows(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ["label\ttext", *PLAIN, *SWALLOWED, *PLAIN], **TABS)
    assert error_of(spec) == (
        f"{tmp_path}/all.csv:25: the quotes that end here hold lines that look like rows, as '1 a good film' (1 such "
        "texts in the file); if quotes are text, set `quoting: false`; if it is one text, set `quoting: true`"
    )
    assert len(load_corpus(spec | {"quoting": False}, "mine")["train"]) == 44
    assert len(load_corpus(spec | {"quoting": True}, "mine")["train"]) == 41


@pytest.mark.parametrize(
    "rows",
    [
        # The text is the last column, the first, or in the middle.
        ["number,text", *(f"{i},text {i}" for i in range(9)), '9,"He said so', '10,she left"'],
        ["text,number", *(f"text {i},{i}" for i in range(9)), '"He said so,9', 'she left",10'],
        ["kind,text,number", *(f"x,text {i},{i}" for i in range(9)), 'x,"He said,9', 'x,she left",10'],
        # Categories tell as numbers do, and another column may have the quote.
        ["kind,text", *(f"{'xy'[i % 2]},text {i}" for i in range(9)), 'x,"He said so', "y,well", 'x,she left"'],
        ["title,text,number", *(f"t{i},text {i},{i}" for i in range(9)), '"A title,He said so,1', 'More",she left,2'],
    ],
)
def test_where_commas_separate_the_other_columns_tell(tmp_path: Path, rows: list[str]) -> None:
    spec = spec_of(tmp_path, rows)
    assert "hold lines that look like rows" in error_of(spec)
    assert len(load_corpus(spec | {"quoting": False}, "mine")["train"]) == len(rows) - 1


@pytest.mark.parametrize(
    "rows",
    [
        # A comma in a line is no row, nor is a number that is no cell of its own.
        ["number,text", *(f"{i},text {i}" for i in range(9)), '9,"Well, yes', "Well, no", 'In 1984, maybe"'],
        ["kind,text", *(f"{'xy'[i % 2]},text {i}" for i in range(9)), 'x,"Well, yes', "Well, no", 'But, then, no"'],
        # Of a single column every line is as long as a row, and of names nothing tells.
        ["text", *(f"text {i}" for i in range(9)), '"One', "two", 'three"'],
        ["name,text", *(f"name {i},text {i}" for i in range(9)), 'name 9,"Well, yes', "Well, no", 'But, no"'],
    ],
)
def test_texts_that_span_lines_pass_and_are_told(
    tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    spec = spec_of(tmp_path, rows)
    assert load_corpus(spec, "mine")["train"]["text"].str.contains("\n").tolist() == [False] * 9 + [True]
    assert (
        f"[corpora.mine.files.train] {tmp_path}/all.csv: 1 texts in quotes span lines, the longest 3 (it ends at line "
        f"{len(rows)}); if quotes are text there, set `quoting: false`"
    ) in capsys.readouterr().err


def test_blank_lines_between_rows_are_no_texts_that_span_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = spec_of(tmp_path, ["text", "one", "", "", '"two"'])
    assert load_corpus(spec, "mine")["train"]["text"].tolist() == ["one", "two"]
    assert "span lines" not in capsys.readouterr().err


def test_the_longest_text_of_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_corpus(spec_of(tmp_path, ["text", '"a', 'b"', '"a', "b", "", 'c"', "d"]), "mine")
    assert "2 texts in quotes span lines, the longest 4 (it ends at line 7)" in capsys.readouterr().err

"""A study's own scorers: which mistakes are found before anything runs, and what scores depend on."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores.own_files import check_digests
from lm_interpolation.study.kinds.scorers.command import Command
from lm_interpolation.study.kinds.scorers.python import Python

CODE = '"""Mine."""\n\n\ndef score(texts, prompts):\n    # All alike.\n    return [1 for text in texts]\n'


@pytest.fixture(autouse=True)
def in_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CODE)
    Path("words.txt").write_text("good\n")


def python(**keys: Any) -> Python:
    return Python(**{"kind": "python", "file": "mine.py", **keys})


def test_a_file_that_defines_the_function_is_fine() -> None:
    assert list(python(files=["words.txt"]).file_problems()) == []
    for code in ("if True:\n    def score(t, p): pass\n", "score = len\n", "from os import path as score\n",
                 "from json import *\n", "try:\n    import re\nexcept ImportError:\n    score = 1\n",
                 "match 1:\n    case 1:\n        def score(texts, prompts): ...\n"):  # fmt: skip
        Path("mine.py").write_text(code)
        assert list(python().file_problems()) == [], code


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("def score(:\n", ("file", "mine.py, line 1: invalid syntax; correct it")),
        ("x = 1\x00\n", ("file", "mine.py: source code string cannot contain null bytes; correct it")),
        ("def scores(t, p): pass\n", ("function", "mine.py defines no 'score'; did you mean 'scores'?")),
        ("def f(): score = 1\n", ("function", "mine.py defines no 'score'; functions: f")),
        ("", ("function", "mine.py defines no 'score'; functions: none")),
        ("async def score(t, p): pass\n", ("function", "'score' of mine.py is asynchronous; write it with def alone")),
    ],
)
def test_a_file_without_the_function_is_told(code: str, problem: tuple[str, str]) -> None:
    Path("mine.py").write_text(code)
    assert list(python().file_problems()) == [problem]


def test_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    missing = f"does not exist; paths are relative to the folder in which the study runs ({tmp_path})"
    assert list(python(file="no.py", files=["words.txt", "none.txt", "."]).file_problems()) == [
        ("file", f"file no.py {missing}"),
        ("files.1", f"file none.txt {missing}"),
        ("files.2", ". is not a file; name the files in it one by one"),
    ]
    Path("mine.txt").write_text(CODE)
    assert list(python(file="mine.txt").file_problems()) == [
        ("file", "mine.txt is not a Python file; its name must end in .py")
    ]


@pytest.mark.parametrize("scores", [[], ["a", "a"], ["row"], ["point"], ["A"], ["a b"], ["1a"], "score"])
def test_names_that_no_column_can_have_are_refused(scores: Any) -> None:
    with pytest.raises(ValidationError):
        python(scores=scores)


def test_scores_depend_on_code_and_files_and_on_no_words() -> None:
    settings = python(files=["words.txt"]).settings()
    assert settings["digests"].keys() == {"mine.py", "words.txt"}
    Path("mine.py").write_text(CODE.replace("Mine.", "My own.").replace("All alike", "Each the same"))
    assert python(files=["words.txt"]).settings() == settings
    Path("mine.py").write_text(CODE.replace("[1", "[2"))
    changed = python(files=["words.txt"]).settings()
    assert changed != settings and changed["digests"]["words.txt"] == settings["digests"]["words.txt"]
    Path("words.txt").write_text("good # so\n")
    assert python(files=["words.txt"]).settings()["digests"]["words.txt"] != settings["digests"]["words.txt"]
    # How it runs is no setting.
    assert python(gpu=True).settings() == python().settings()


def test_scores_depend_on_the_modules_beside_the_file() -> None:
    """On those that it imports, directly or not, and on no others."""
    Path("lib", "deep").mkdir(parents=True)
    Path("elsewhere").mkdir()
    for name in ("helper", "unused", "lib/__init__", "lib/words", "lib/other", "lib/deep/__init__", "lib/deep/bottom"):
        Path(f"{name}.py").write_text("")
    Path("broken.py").write_text("def (")
    Path("helper.py").write_text("import mine, broken\nfrom lib import words\n")
    Path("lib/words.py").write_text("from .deep import bottom\nfrom . import missing\nfrom ..... import far\n")
    Path("mine.py").write_text(f"import json, numpy\nif True:\n    from helper import *\n{CODE}")
    expected = {"mine.py", "helper.py", "broken.py", "lib/__init__.py", "lib/words.py"}
    expected |= {"lib/deep/__init__.py", "lib/deep/bottom.py"}
    settings = python(files=["helper.py"]).settings()
    assert settings["digests"].keys() == expected
    Path("unused.py").write_text("1 + 1")
    Path("helper.py").write_text(Path("helper.py").read_text() + "# better words\n")
    assert python(files=["helper.py"]).settings() == settings
    Path("lib/deep/bottom.py").write_text("GOOD = 2")
    assert python(files=["helper.py"]).settings() != settings
    # A link runs where it points to.
    Path("elsewhere/linked.py").symlink_to(Path("mine.py").resolve())
    digests = python(file="elsewhere/linked.py").settings()["digests"]
    assert digests.keys() == {"elsewhere/linked.py"} | {str(Path(name).resolve()) for name in expected - {"mine.py"}}


def test_a_file_that_changes_while_the_study_runs_is_told() -> None:
    digests = python(files=["words.txt"]).settings()["digests"]
    check_digests(digests)
    Path("words.txt").write_text("bad, and others\n")
    with pytest.raises(UserError, match=r"^words.txt: changed after this run began; run again "):
        check_digests(digests)
    Path("words.txt").unlink()
    with pytest.raises(UserError, match=r"^words.txt: No such file or directory$"):
        check_digests(digests)


def test_statistics_and_colour_are_those_of_its_scores() -> None:
    mine = python(scores=["good", "words"], text="continuation")
    assert [statistic.settings() for statistic in mine.statistics()] == [
        {"name": "good", "columns": {"good": 1}},
        {"name": "words", "columns": {"words": 1}},
    ]
    assert mine.colour().statistic.name == "good" and mine.colour().scale == []
    assert mine.describe("mine") == "mine: good, words by score() of mine.py"
    assert python().describe("mine") == "mine: score() of mine.py"
    assert (mine.uses_gpu(), python(gpu=True).uses_gpu(), mine.judge()) == (False, True, None)
    assert python().minutes(1) == python().minutes(3)


# --- commands


def command(*words: str, **keys: Any) -> Command:
    return Command(**{"kind": "command", "command": list(words), **keys})


def test_a_program_that_is_looked_up_need_not_be_there_yet() -> None:
    assert list(command("no-such-program").file_problems()) == []
    assert command("no-such-program", "words.txt", "none.txt", ".").settings()["digests"].keys() == {"words.txt"}


def test_a_program_by_its_path_is_there_and_can_be_run(tmp_path: Path) -> None:
    (problem,) = command("./none").file_problems()
    assert problem == (
        "command.0",
        f"file ./none does not exist; paths are relative to the folder in which the study runs ({tmp_path})",
    )
    (problem,) = command("./mine.py").file_problems()
    assert problem == (
        "command.0",
        "./mine.py is not executable; use chmod +x, or put the program that runs it first",
    )
    Path("mine.py").chmod(0o755)
    assert list(command("./mine.py").file_problems()) == []


def test_words_that_are_no_paths() -> None:
    """A whole program may follow ``sh -c``: longer than any path."""
    long = command("sh", "-c", "cat " * 2000)
    assert list(long.file_problems()) == [] and long.settings()["digests"] == {}
    (problem,) = python(file="x" * 5000).file_problems()
    assert problem == ("file", f"{'x' * 60}: File name too long; correct the path, or its permissions")
    assert [key for key, _ in command("cat", "a\0").file_problems()] == ["command.1"]


def test_scores_of_a_command_depend_on_its_words_and_files() -> None:
    settings = command("python3", "mine.py", files=["words.txt"]).settings()
    assert settings["digests"].keys() == {"mine.py", "words.txt"}
    assert command("python3", "mine.py", "-v", files=["words.txt"]).settings() != settings
    assert command("python3", "mine.py", files=["words.txt"], timeout=3, gpu=True).settings() == settings
    Path("mine.py").write_text(CODE.replace("[1", "[2"))
    assert command("python3", "mine.py", files=["words.txt"]).settings() != settings
    assert command("python3", "mine.py", timeout=3).execution() == {"timeout": 3}
    assert command("python3", "mine.py").describe("mine") == "mine: the command python3 mine.py"

"""Scores by a study's own function: what it gets, what it may return, and the errors for anything else."""

import re
from pathlib import Path

import pandas as pd
import pytest

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores.python import score_python
from tests.scores.own_texts import TEXTS


def scored(folder: Path, code: str, scores: tuple[str, ...] = ("score",), full: bool = False) -> pd.DataFrame:
    file = folder / "mine.py"
    file.write_text(code)
    return score_python(file, "score", TEXTS, scores, full)


def error_of(folder: Path, code: str, scores: tuple[str, ...] = ("score",)) -> str:
    """The one line of the error, without the file and the function that it begins with."""
    with pytest.raises(UserError) as error:
        scored(folder, code, scores)
    line = str(error.value)
    assert line.startswith(f"{folder / 'mine.py'}: ") and "\n" not in line
    return line.removeprefix(f"{folder / 'mine.py'}: ")


def test_each_text_has_its_number_or_none(tmp_path: Path) -> None:
    found = scored(tmp_path, "def score(texts, prompts):\n    return [len(text) or None for text in texts]\n")
    expected = pd.DataFrame({"score": pd.array([9, 8, None, 6], "Float64")}, index=TEXTS.index)
    pd.testing.assert_frame_equal(found, expected)


def test_texts_come_point_by_point_with_their_prompts(tmp_path: Path) -> None:
    code = (
        "calls = []\ndef score(texts, prompts):\n    calls.append((texts, prompts))\n"
        "    return [10 * len(calls) + (text.startswith(prompt)) for text, prompt in zip(texts, prompts)]\n"
    )
    assert scored(tmp_path, code)["score"].tolist() == [10, 10, 10, 20]
    assert scored(tmp_path, code, full=True)["score"].tolist() == [11, 11, 11, 21]


@pytest.mark.parametrize(
    "returned",
    ["tuple(map(len, texts))", "np.array([len(t) for t in texts])", "np.array([len(t) for t in texts], 'float16')",
     "pd.Series([len(t) for t in texts], dtype='Int64')", "torch.tensor([len(t) for t in texts])",
     "{'score': [float(len(t)) for t in texts]}"],
)  # fmt: skip
def test_what_libraries_return_is_taken(tmp_path: Path, returned: str) -> None:
    imports = "import numpy as np, pandas as pd, torch\n"
    found = scored(tmp_path, f"{imports}def score(texts, prompts):\n    return {returned}\n")
    assert found["score"].tolist() == [9, 8, 0, 6]


def test_masked_values_are_no_scores(tmp_path: Path) -> None:
    """Without its mask such a value would be a number: 0."""
    code = "import numpy as np\ndef score(texts, prompts):\n    return np.ma.masked_equal([len(t) for t in texts], 8)\n"
    expected = pd.DataFrame({"score": pd.array([9, None, 0, 6], "Float64")}, index=TEXTS.index)
    pd.testing.assert_frame_equal(scored(tmp_path, code), expected)


def test_several_scores_have_names(tmp_path: Path) -> None:
    code = (
        "def score(texts, prompts):\n"
        "    return {'words': [len(t.split()) for t in texts], 'good': ['good' in t for t in texts]}\n"
    )
    found = scored(tmp_path, code, ("good", "words"))
    assert list(found) == ["good", "words"]
    assert found.to_numpy().tolist() == [[1, 2], [0, 2], [0, 0], [0, 1]]


def test_the_file_finds_modules_beside_it_and_runs_in_the_folder_of_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_helper_of_mine.py").write_text("WORDS = {'good'}\n")
    (tmp_path / "bonus.txt").write_text("3")
    code = (
        "import dataclasses\nfrom own_helper_of_mine import WORDS\n"
        "@dataclasses.dataclass\nclass Rule:\n    bonus: int\nrule = Rule(int(open('bonus.txt').read()))\n"
        "def score(texts, prompts):\n    return [rule.bonus * any(w in t for w in WORDS) for t in texts]\n"
    )
    assert scored(tmp_path, code)["score"].tolist() == [3, 0, 0, 0]


FIRST = "the text of prompt 3, sample 0 at point m=1 (' was good')"
EMPTY = "the text of prompt 8, sample 0 at point m=1 ('')"
LAST = "the text of prompt 3, sample 0 at point n=1 (' ended')"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return [1 / len(t) for t in texts]", f"for {EMPTY}, raises ZeroDivisionError: division by zero; correct it"),
        ("return [{}['a\\nb'] if 'ended' in t else 1 for t in texts]", f"for {LAST}, raises KeyError: 'a\\nb'; corr"),
        ("raise RuntimeError('a\\nb ' * 99)", f"for {FIRST}, raises RuntimeError: a b a b "),
        ("raise SystemExit(3)", f"for {FIRST}, raises SystemExit: 3; correct it (the log has the traceback)"),
        ("assert len(texts) == 1\n    return [1]", "for the texts of point m=1, raises AssertionError; correct it"),
        ("return [float('nan')] * len(texts)", f"score of {FIRST} is nan; give a finite number, or None where a text"),
        ("return [1, 10 ** 400, 1]", "score of the text of prompt 3, sample 1 at point m=1 (' was bad') is inf; give"),
        ("return [1, 1, 'high']", f"score of {EMPTY} is 'high' (str); give a number, or None where a text has no"),
        ("return [[1], [2], [3]]", f"score of {FIRST} is [1] (list); give a number"),
        ("return [1, 2]", "returns 2 values for 3 texts; return one for each, None where there is none"),
        ("pass", "returns nothing; return a list with a number or None for each text"),
        ("return 'abc'", "returns a str; return a list with a number or None for each text"),
        ("return {1, 2, 3}", "returns a set; return a list"),
        ("return (1 for text in texts)", "returns a generator; return a list"),
        ("return 0.5", "returns a float; return a list"),
        ("return {'good': [1, 1, 1]}", "returns a mapping that has no 'score', which the study declares in scores"),
        ("return {'score': [1] * 3, 'x': [1] * 3}", "returns a mapping that has 'x', which the study does not declare"),
        ("return {'score': None}", "returns nothing for 'score'; return a list"),
        ("return {'score': [1]}", "returns 1 values for 'score' for 3 texts"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_that_names_the_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], body: str, told: str
) -> None:
    line = error_of(tmp_path, f"def score(texts, prompts):\n    {body}\n")
    assert line.startswith("score()") and line.removeprefix("score(): ").removeprefix("score(), ").startswith(told)
    # The log has the traceback, with the line of the file.
    assert ("mine.py" in capfd.readouterr().err) == ("raises" in told)
    assert len(line) < 400


def test_several_scores_need_a_mapping(tmp_path: Path) -> None:
    line = error_of(tmp_path, "def score(texts, prompts):\n    return [1] * len(texts)\n", ("a", "b"))
    assert line == (
        "score(): returns a list, but the study declares the scores a, b; return a mapping of these names to lists"
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import no_such_module_of_mine\n", "running it raises ModuleNotFoundError: No module named 'no_such_module"),
        ("def score(:\n", "running it raises SyntaxError: invalid syntax"),
        ("raise SystemExit('no')\n", "running it raises SystemExit: no; correct it (the log has the traceback)"),
        ("def other(texts, prompts): pass\n", "has no function 'score'; define it, or name another in function"),
        ("score = 3\n", "has int, no function, 'score'; define it"),
    ],
)
def test_a_file_that_cannot_be_run_is_named(tmp_path: Path, code: str, told: str) -> None:
    assert error_of(tmp_path, code).startswith(told)


def test_a_function_with_other_parameters_is_told(tmp_path: Path) -> None:
    line = error_of(tmp_path, "def score(texts):\n    return [1] * len(texts)\n")
    assert re.search(r"raises TypeError: score\(\) takes 1 positional argument but 2 were given", line)


def test_a_file_may_be_called_like_a_module_that_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "json.py"
    file.write_text("def score(texts, prompts):\n    return [7] * len(texts)\n")
    assert score_python(file, "score", TEXTS, ["score"], False)["score"].tolist() == [7] * 4
    import json

    assert Path(json.__file__).parent != tmp_path and Path(json.__file__).exists()


def test_no_text_needs_no_score(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def score(texts, prompts):\n    return []\n")
    found = score_python(tmp_path / "mine.py", "score", TEXTS.iloc[:0], ["score"], False)
    assert list(found) == ["score"] and found.empty

"""Scores by a study's own program: what it reads, what it may write, and the errors for anything else."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores.command import score_command
from tests.scores.own_texts import TEXTS

# In a loop over the lines of its input.
LOOP = "import sys, json, time, os\nfor line in sys.stdin:\n    text = json.loads(line)\n"


def program(folder: Path, code: str) -> list[str]:
    file = folder / "mine.py"
    file.write_text(code)
    return [sys.executable, str(file)]


def scored(command: Sequence[str], scores: tuple[str, ...] = ("score",), timeout: float = 20) -> pd.DataFrame:
    return score_command(command, TEXTS, scores, timeout)


def error_of(command: Sequence[str], scores: tuple[str, ...] = ("score",), timeout: float = 20) -> str:
    """The one line of the error, without the command that it begins with."""
    with pytest.raises(UserError) as error:
        scored(command, scores, timeout)
    line, what = str(error.value), f"command {' '.join(command)}: "
    assert line.startswith(what) and "\n" not in line
    return line.removeprefix(what)


def test_each_text_has_its_number_or_null(tmp_path: Path) -> None:
    found = scored(program(tmp_path, LOOP + "    print(json.dumps({'score': len(text['continuation']) or None}))\n"))
    expected = pd.DataFrame({"score": pd.array([9, 8, None, 6], "Float64")}, index=TEXTS.index)
    pd.testing.assert_frame_equal(found, expected)


def test_a_timeout_may_be_longer_than_python_waits(tmp_path: Path) -> None:
    assert scored(program(tmp_path, LOOP + "    print('{\"score\": 1}')\n"), timeout=1e300)["score"].tolist() == [1] * 4


def test_it_gets_all_of_a_text_and_answers_line_by_line_or_at_the_end(tmp_path: Path) -> None:
    whole = "import sys, json, pathlib\nlines = sys.stdin.read().splitlines()\n"
    whole += "pathlib.Path('seen.jsonl').write_text('\\n'.join(lines))\nprint('a word', file=sys.stderr)\n"
    whole += "print('\\n'.join('{\"score\": %d}' % index for index, _ in enumerate(lines)))\n"
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        found = scored(program(tmp_path, whole))
    finally:
        os.chdir(here)
    assert found["score"].tolist() == [0, 1, 2, 3]
    seen = [json.loads(line) for line in (tmp_path / "seen.jsonl").read_text().splitlines()]
    assert seen[1] == {
        "row": 3, "sample": 1, "point": "m=1", "prompt": "the film", "continuation": " was bad",
        "text": "the film was bad",
    }  # fmt: skip


def test_several_scores_have_names(tmp_path: Path) -> None:
    code = LOOP + "    print(json.dumps({'words': len(text['text'].split()), 'good': 'good' in text['text']}))\n"
    assert scored(program(tmp_path, code), ("good", "words")).to_numpy().tolist() == [[1, 4], [0, 4], [0, 2], [0, 3]]


def test_other_alphabets_pass(tmp_path: Path) -> None:
    texts = TEXTS.assign(continuation=["ä\n\u2028", "🎬", "中", '"'])
    code = LOOP + "    print(json.dumps({'score': len(text['continuation'])}))\n"
    found = score_command(
        program(tmp_path, "import sys\nsys.stdin.reconfigure(encoding='utf-8')\n" + code), texts, ["score"], 20
    )
    assert found["score"].tolist() == [3, 1, 1, 1]


def test_many_texts_pass_at_once(tmp_path: Path) -> None:
    # More than pipes hold, both ways, and a program that reads all before it writes.
    texts = pd.concat([TEXTS] * 5000, ignore_index=True)
    code = "import sys\nlines = sys.stdin.readlines()\nfor line in lines: print('{\"score\": 1}' + ' ' * 200)\n"
    assert score_command(program(tmp_path, code), texts, ["score"], 60)["score"].sum() == len(texts)


FIRST = "the text of prompt 3, sample 0 at point m=1 (' was good')"
SECOND = "the text of prompt 3, sample 1 at point m=1 (' was bad')"
EMPTY = "the text of prompt 8, sample 0 at point m=1 ('')"
GOOD = "    print('{\"score\": 1}', flush=True)\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (LOOP + "    print('0.5')\n", f"the line for {FIRST} is not a JSON object: '0.5'; write one such"),
        (LOOP + "    print('high')\n", f"the line for {FIRST} is not JSON: 'high'; write an object such"),
        (LOOP + "    print('[' * 100000)\n", f"the line for {FIRST} is not JSON: '[[["),
        ("import os\nos.kill(os.getpid(), 35)\n", f"is ended by signal 35 after 0 of 4 lines, before {FIRST}"),
        (LOOP + "    print()\n", f"the line for {FIRST} is not JSON: ''; write an object"),
        (LOOP + "    print('{\"score\": NaN}')\n", f"the line for {FIRST} has a 'score' that is nan; give a"),
        (LOOP + "    print('{\"score\": \"1\"}')\n", f"the line for {FIRST} has a 'score' that is '1' (str); "),
        (LOOP + "    print('{\"sore\": 1}')\n", f"the line for {FIRST} has no 'score', which the study declares"),
        (LOOP + "    print('{\"score\": 1, \"why\": 2}')\n", f"the line for {FIRST} has 'why', which the study"),
        (LOOP + GOOD + "    sys.exit(3)\n", f"ends with status 3 after 1 of 4 lines, before {SECOND}; see the log"),
        (LOOP + GOOD + "    break\n", f"ends with status 0 after 1 of 4 lines, before {SECOND}; see the log"),
        (LOOP + GOOD + "    os.kill(os.getpid(), 11)\n", f"is ended by SIGSEGV after 1 of 4 lines, before {SECOND}"),
        (LOOP + GOOD + "    1 / len(text['continuation'])\n", "ends with status 1 after 3 of 4 lines, before"),
        (LOOP + GOOD + GOOD, "writes more than one line per text, after the last one '{\"score\": 1}'"),
        (LOOP + GOOD + "sys.exit(4)\n", "has scored all texts, but ends with status 4; let it end with 0"),
        ("raise SystemExit(7)\n", f"ends with status 7 after 0 of 4 lines, before {FIRST}; see the log"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_that_names_the_text(tmp_path: Path, code: str, told: str) -> None:
    assert error_of(program(tmp_path, code)).startswith(told)


def test_a_program_that_does_not_answer_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    child = "    import subprocess; child = subprocess.Popen(['sleep', '60'])\n"
    child += f"    open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
    code = LOOP + GOOD + child + "    time.sleep(60)\n"
    started = time.monotonic()
    line = error_of(program(tmp_path, code), timeout=2)
    assert line == (f"no line for 2 s, waiting for {SECOND}; let it write each line at once (flush), or raise timeout")
    assert time.monotonic() - started < 15
    time.sleep(0.2)
    status = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    # A process that nobody has asked about yet is a zombie.
    assert not status.exists() or status.read_text().split()[2] == "Z"


def test_a_program_that_does_not_end_is_told(tmp_path: Path) -> None:
    line = error_of(program(tmp_path, LOOP + GOOD + "time.sleep(60)\n"), timeout=2)
    assert line == "has scored all texts, but still runs after 2 s; let it end with its input"


def test_a_command_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    assert error_of(["no-such-program-of-mine"]) == (
        "there is no program 'no-such-program-of-mine'; give its path, or install it"
    )
    file = tmp_path / "plain"
    file.write_text("echo")
    assert error_of([str(file)]) == f"{str(file)!r} cannot be started: Permission denied"
    file.chmod(0o755)
    assert error_of([str(file)]) == f"{str(file)!r} cannot be started: Exec format error"


def test_no_shell_reads_the_words(tmp_path: Path) -> None:
    code = "import sys\nwords = len(sys.argv[1])\n" + LOOP + "    print(json.dumps({'score': words}))\n"
    assert scored([*program(tmp_path, code), "$HOME; *"])["score"].tolist() == [8] * 4


def test_a_job_that_is_asked_to_end_leaves_no_program_behind(tmp_path: Path) -> None:
    command = program(
        tmp_path, f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )
    job = (
        "from tests.scores.own_texts import TEXTS\nfrom lm_interpolation.scores.command import score_command\n"
        f"score_command({command!r}, TEXTS, ['score'], 60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", job], cwd=Path(__file__).parents[2]) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()

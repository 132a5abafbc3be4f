"""A warm Python behaves like Python: arguments, paths, streams, exit status, signals, process groups."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SHOW = """
import json, os, sys
print(json.dumps([__name__, sys.argv[1:], sys.path[0], os.getcwd(), os.environ.get("A"), "torch" in sys.modules]))
"""


def run(python: str, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, *arguments], capture_output=True, text=True, check=False, timeout=120, **options)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "script.py"


def test_a_script_sees_what_it_would_see(warm_launcher: str, script: Path, tmp_path: Path) -> None:
    script.write_text(SHOW)
    options = {"cwd": tmp_path, "env": os.environ | {"A": "1"}}
    warm, cold = (run(python, str(script), "x", "--y", **options) for python in (warm_launcher, sys.executable))
    assert warm.returncode == 0, warm.stderr
    assert warm.stdout.replace("true", "false") == cold.stdout and "true" in warm.stdout


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('no')", 1, "no\n"),
        ("print('half', end='')\nraise ValueError('wrong')", 1, "ValueError: wrong"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("import atexit, sys; atexit.register(sys.stderr.write, 'at the end')", 0, "at the end"),
    ],
)
def test_it_ends_as_python_does(warm_launcher: str, script: Path, code: str, status: int, said: str) -> None:
    script.write_text(code)
    for python in (warm_launcher, sys.executable):
        done = run(python, str(script))
        assert done.returncode == status
        assert said in done.stderr
        assert done.stdout == ("half" if "half" in code else "")


def test_modules_run_and_other_options_get_the_real_python(warm_launcher: str, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(SHOW)
    assert run(warm_launcher, "-m", "module", cwd=tmp_path).stdout.startswith(f'["__main__", [], "{tmp_path}"')
    assert run(warm_launcher, "-c", "import sys; print('torch' in sys.modules)").stdout == "False\n"


def test_signals_reach_the_program(warm_launcher: str, script: Path) -> None:
    script.write_text(
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('ready', flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([warm_launcher, script], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None and program.stdout.readline() == "ready\n"
        program.terminate()
        assert program.wait(30) == 7


def test_a_program_dies_with_its_launcher(warm_launcher: str, script: Path) -> None:
    script.write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
    with subprocess.Popen(
        [warm_launcher, script], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        assert program.stdout is not None
        child = int(program.stdout.readline())
        program.kill()
        # The pipe ends when its last writer has ended.
        assert program.stdout.read() == ""
    assert child != program.pid

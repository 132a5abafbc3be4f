"""A warm Python behaves like Python: arguments, paths, streams, exit status, signals, process groups."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.dag import copy_workflow
from lm_interpolation.jobs.warm import launching as warm

ROOT = Path(__file__).parents[2]

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


@pytest.fixture
def own_launcher() -> Iterator[Path]:
    launcher = warm.install()
    yield launcher
    shutil.rmtree(launcher.parent, ignore_errors=True)


def test_without_a_server_the_real_python_runs(own_launcher: Path, script: Path, tmp_path: Path) -> None:
    """An import fails, say: a job that needs the package says so itself, and the next one does not try again."""
    (tmp_path / "server.py").write_text(
        "import sys\nopen(sys.argv[0] + '.tries', 'a').write('x')\nsys.exit('no torch')"
    )
    settings = own_launcher.parent / "settings.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"server": str(tmp_path / "server.py")}))
    script.write_text("import sys\nprint(sys.executable, 'torch' in sys.modules)")
    for _ in range(2):
        assert run(str(own_launcher), str(script)).stdout == f"{sys.executable} False\n"
    assert (tmp_path / "server.py.tries").read_text() == "x"
    assert [path.read_text() for path in own_launcher.parent.glob("*.failed")] == ["no torch\n"]


def test_a_server_that_was_killed_is_not_missed(own_launcher: Path, script: Path) -> None:
    script.write_text("import os\nprint(os.getppid())")
    server = int(run(str(own_launcher), str(script)).stdout)
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: not Path("/proc", str(server), "exe").exists())
    assert run(str(own_launcher), str(script)).stdout == f"{os.getpid()}\n"


def test_the_path_of_python_may_need_quotes(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a clone whose folder has spaces in its name."""
    odd = tmp_path / "it's a clone"
    odd.mkdir()
    (odd / "venv").symlink_to(Path(sys.prefix))
    python = odd / "venv" / "bin" / "python"
    monkeypatch.setattr(sys, "executable", shlex.quote(str(python)))
    launcher = warm.install()
    script.write_text("import sys\nprint(sys.executable, 'torch' in sys.modules)")
    assert run(str(launcher), str(script)).stdout == f"{python} True\n"
    shutil.rmtree(launcher.parent)


OWNER = """
import os, subprocess, sys
from lm_interpolation.jobs.warm import launching as warm
launcher = warm.install()
print(launcher, flush=True)
subprocess.Popen([launcher, sys.argv[1]])
sys.stdin.read()
"""


@pytest.mark.parametrize("killed", [False, True], ids=["ended", "killed"])
def test_programs_outlive_their_owner_and_its_folder_does_not(script: Path, tmp_path: Path, killed: bool) -> None:
    lines = ["import os, time", "open('started', 'w')", "while not os.path.exists('go'):", "    time.sleep(0.05)"]
    script.write_text("\n".join([*lines, "open('done', 'w')"]))
    command = [sys.executable, "-c", OWNER, str(script)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, text=True) as owner:
        assert owner.stdout is not None and owner.stdin is not None
        folder = Path(owner.stdout.readline().strip()).parent
        wait_for((tmp_path / "started").exists)
        if killed:
            owner.kill()
        owner.stdin.close()
        owner.wait(60)
    assert folder.exists() == killed
    (tmp_path / "go").touch()
    wait_for(lambda: (tmp_path / "done").exists() and not folder.exists())


def wait_for(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


# --- whether Snakemake uses it ---


@pytest.mark.parametrize("why", ["switch", "gpu", "another system"])
def test_reasons_not_to_fork(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, why: str) -> None:
    monkeypatch.setattr(warm, "_GPU_DRIVERS", ())
    assert warm.can_fork()
    if why == "switch":
        monkeypatch.setenv(warm.SWITCH, "0")
    elif why == "gpu":
        (tmp_path / "nvidiactl").touch()
        monkeypatch.setattr(warm, "_GPU_DRIVERS", (str(tmp_path / "nvidiactl"),))
    else:
        monkeypatch.setattr(sys, "platform", "darwin")
    assert not warm.can_fork()
    before = sys.executable
    warm.start()
    assert sys.executable == before


def test_starting_twice_installs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", sys.executable)
    monkeypatch.setattr(warm, "_GPU_DRIVERS", ())
    warm.start()
    first = sys.executable
    warm.start()
    assert sys.executable == first and Path(shlex.split(first)[0]).is_file()


def test_a_folder_that_forbids_programs_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbidden() -> Path:
        raise PermissionError(13, "Permission denied", "/tmp/x/python")

    before = sys.executable
    monkeypatch.setattr(warm, "_GPU_DRIVERS", ())
    monkeypatch.setattr(warm, "install", forbidden)
    warm.start()
    assert sys.executable == before
    assert capsys.readouterr().err == (
        "jobs start slowly, each in a new Python: [Errno 13] Permission denied: '/tmp/x/python'\n"
    )


@pytest.mark.snakemake
@pytest.mark.skipif(any(Path(driver).exists() for driver in warm._GPU_DRIVERS), reason="beside a GPU nothing is forked")
@pytest.mark.parametrize("switch", ["1", "0"])
def test_local_jobs_are_forked(tmp_path: Path, switch: str) -> None:
    """The jobs of a Snakemake on this machine, by the name of their process; and nothing is left behind."""
    copy_workflow(tmp_path)
    shutil.copytree(ROOT / ".test" / "config", tmp_path / "config")
    script = tmp_path / "workflow" / "scripts" / "data" / "corpus_synthetic.py"
    said = "print('forked:', 'torch' in __import__('sys').modules, file=__import__('sys').stderr)\n"
    script.write_text(said + script.read_text())
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = os.environ | {"PYTHONPATH": "", "TMPDIR": str(temporary), warm.SWITCH: switch}
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "results/test/corpora/general/train.parquet"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"forked: {switch == '1'}" in done.stderr
    wait_for(lambda: not list(temporary.glob(f"{warm._PREFIX}*")))

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from workflow.lib import runtime
from workflow.lib.runtime import Progress, UserError, announce, atomic_path, error_prefix, file_digest
from workflow.lib.sources import ROOT

# --- errors ---


def test_error_prefix_names_the_place_of_user_errors_only() -> None:
    with pytest.raises(UserError, match=r"^config: sweeps\.mine: wrong; mend it$"), error_prefix("config: sweeps.mine"):
        raise UserError("wrong; mend it")
    with pytest.raises(ValueError, match=r"^wrong$"), error_prefix("config"):
        raise ValueError("wrong")


# --- atomic writes ---


def partials(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".partial-*")]


def test_a_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "table.csv"
    with atomic_path(target) as scratch:
        assert scratch.parent == target.parent and not scratch.exists()
        scratch.write_text("half")
        assert not target.exists()
        scratch.write_text("whole")
    assert target.read_text() == "whole"
    assert partials(tmp_path) == []


def test_a_directory_replaces_a_directory(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for content in ("old", "new"):
        with atomic_path(target) as scratch:
            (scratch / content).mkdir(parents=True)
            (scratch / content / "weights").write_text(content)
    assert [path.name for path in target.iterdir()] == ["new"]
    assert (target / "new" / "weights").read_text() == "new"
    assert partials(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_an_error_leaves_what_was_there(error: BaseException, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "weights").write_text("old")
    with pytest.raises(type(error)), atomic_path(tmp_path / "file") as scratch:
        scratch.write_text("new")
        raise error
    with pytest.raises(type(error)), atomic_path(tmp_path / "folder") as scratch:
        scratch.mkdir()
        (scratch / "weights").write_text("new")
        raise error
    with pytest.raises(type(error)), atomic_path(tmp_path / "absent") as scratch:
        scratch.write_text("new")
        raise error
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "weights").read_text() == "old"
    assert not (tmp_path / "absent").exists()
    assert partials(tmp_path) == []


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="nothing was written"), atomic_path(tmp_path / "file"):
        pass


def test_what_a_killed_job_left_is_overwritten(tmp_path: Path) -> None:
    killed = f"""
        import os, signal
        from workflow.lib.runtime import atomic_path
        managers = [atomic_path({str(tmp_path)!r} + "/" + name) for name in ("file", "folder")]
        for name, manager in zip(("file", "folder"), managers):
            scratch = manager.__enter__()
            if name == "folder":
                scratch.mkdir()
                scratch = scratch / "stale"
            scratch.write_text("half of a longer text")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(killed)], cwd=ROOT, check=False).returncode == -9
    assert sorted(partials(tmp_path)) == [".partial-file", ".partial-folder"]
    assert not (tmp_path / "file").exists() and not (tmp_path / "folder").exists()

    with atomic_path(tmp_path / "file") as scratch:
        assert not scratch.exists()
        scratch.write_text("whole")
    with atomic_path(tmp_path / "folder") as scratch:
        scratch.mkdir()
        (scratch / "weights").write_text("whole")
    assert (tmp_path / "file").read_text() == "whole"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["weights"]
    assert partials(tmp_path) == []


# --- digests ---


def test_a_digest_depends_on_names_and_contents(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder / "model" / "inner").mkdir(parents=True)
        (tmp_path / folder / "model" / "weights").write_text("abc")
        (tmp_path / folder / "model" / "inner" / "config").write_text("def")
    one, two = tmp_path / "one" / "model", tmp_path / "two" / "model"
    first = file_digest(one)
    assert re.fullmatch("[0-9a-f]{64}", first)
    # The place of the folder does not count, nor do empty folders.
    (two / "empty").mkdir()
    assert file_digest(two) == first

    (two / "weights").write_text("abd")
    assert file_digest(two) != first
    (two / "weights").write_text("abc")
    (two / "weights").rename(two / "weight")
    assert file_digest(two) != first
    (two / "weight").rename(two / "inner" / "weights")
    assert file_digest(two) != first


def test_a_digest_tells_several_files_apart(tmp_path: Path) -> None:
    for name, content in (("a", "1"), ("b", "2"), ("empty", "")):
        (tmp_path / name).write_text(content)
    a, b, empty = tmp_path / "a", tmp_path / "b", tmp_path / "empty"
    digests = [file_digest(a), file_digest(b), file_digest(a, b), file_digest(b, a), file_digest(empty), file_digest()]
    assert len(set(digests)) == len(digests)
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "absent")


# --- progress ---


def test_progress_is_told_at_most_once_per_interval(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(runtime.time, "monotonic", lambda: now)
    progress = Progress("train base", total=100, unit="steps", interval=5)
    for seconds, done in ((1, 10), (6, 30), (8, 50), (10, 100)):
        now = 100.0 + seconds
        progress.update(done, "loss 2.5")
    assert capsys.readouterr().err.splitlines() == [
        "[train base] 30/100 steps, 5 steps/s, 14 s left, loss 2.5",
        "[train base] 100/100 steps, 10 steps/s, 0 s left, loss 2.5",
    ]


def test_outside_of_a_job_there_is_one_console(capsys: pytest.CaptureFixture[str]) -> None:
    announce("hello")
    assert capsys.readouterr() == ("", "hello\n")


# --- jobs ---


def run(folder: Path, body: str) -> tuple[int, str, str, str]:
    """Exit status, stdout, stderr and log of a job whose ``main`` has this body."""
    script = f"""
from types import SimpleNamespace
import errno, os, subprocess, sys
from workflow.lib.runtime import Progress, UserError, announce, run_job

def main(snakemake):
{textwrap.indent(textwrap.dedent(body), "    ")}

run_job(main, SimpleNamespace(log={str(folder / "logs" / "job.log")!r}, rule="merge", value=7))
"""
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, result.stderr, (folder / "logs" / "job.log").read_text()


def test_a_job_sends_its_output_to_its_log(tmp_path: Path) -> None:
    code, out, err, log = run(
        tmp_path,
        """
        print("a print", flush=True)
        os.write(2, b"a library\\n")
        subprocess.run(["echo", "a child"], check=True)
        announce("half done")
        print("value", snakemake.value)
        """,
    )
    assert (code, out, err) == (0, "", "half done\n")
    assert log.splitlines() == ["a print", "a library", "a child", "half done", "value 7"]


def test_a_users_mistake_is_one_line(tmp_path: Path) -> None:
    code, out, err, log = run(tmp_path, "raise UserError(\"data.csv:3: no column 'text'; it has a, b\")")
    line = "error: data.csv:3: no column 'text'; it has a, b\n"
    assert (code, out, err, log) == (1, "", line, line)


def test_another_error_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    code, out, err, log = run(tmp_path, 'raise ValueError("NaN in h.0.attn")')
    assert (code, out) == (1, "")
    assert err == f"error: rule merge failed: ValueError: NaN in h.0.attn; traceback in {tmp_path}/logs/job.log\n"
    assert log.startswith("Traceback (most recent call last):")
    assert log.endswith("ValueError: NaN in h.0.attn\n" + err)


def test_a_full_disk_is_told_in_the_systems_words(tmp_path: Path) -> None:
    code, out, err, log = run(tmp_path, 'raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "model.safetensors")')
    assert (code, out) == (1, "")
    assert err == (
        "error: rule merge: [Errno 28] No space left on device: 'model.safetensors'; "
        f"details in {tmp_path}/logs/job.log\n"
    )
    assert "Traceback" in log and log.endswith(err)


def test_an_interrupted_job_is_no_success(tmp_path: Path) -> None:
    code, _, err, log = run(tmp_path, "raise KeyboardInterrupt")
    assert code != 0
    assert "error:" not in err and "KeyboardInterrupt" in log


def test_jobs_load_no_heavy_package() -> None:
    # Importing torch costs 1.5 s and numpy 0.1 s, for each of hundreds of jobs and for the Snakefile.
    script = (
        "import sys; import workflow.lib.runtime, workflow.lib.study; "
        "print(sorted({'torch', 'transformers', 'numpy', 'pandas', 'datasets', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True) == "[]\n"

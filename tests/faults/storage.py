"""Full, read-only or damaged disks and terminated or orphaned jobs: what happens, and what is lost.

    python -m tests.faults.storage       as root, since it mounts small disks; takes a quarter of an hour on two busy
    cores

Runs tests/tiny.yaml once, then disturbs copies of the finished study while one stage runs again. Prints one line per
fault: the message, whether anything else was touched, and whether the study is the same in the end.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.whole.test_workflow import ROOT, copy_sources, results, snakemake

# Outputs that are to be made again, with those that depend on them: a training, a merged model's texts, scores.
STAGES = {
    "training": ["models/positive", "training/positive/loss.csv", "training/positive/metrics.json"],
    "texts": ["texts/weights/neutral/negative=0.5+positive=0.5.parquet"],
    "scores": ["scores/neutral/theta1/perplexity.parquet"],
}


class Broken(Exception):
    """What a fault should not have done."""


class Study:
    """A copy of the finished study, in which some outputs are missing."""

    def __init__(self, finished: Path, folder: Path, missing: list[str]) -> None:
        shutil.copytree(finished, folder, symlinks=True)
        self.folder, self.top, self.wanted = folder, folder / "results" / "tiny", results(finished)
        for name in missing:
            path = self.top / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.targets = [f"results/tiny/{name}" for name in missing]
        self.before = results(folder)

    def fail(self, **environment: str) -> str:
        """Run, and return the one line that tells why it failed."""
        done = snakemake(self.folder, "--", *self.targets, **environment)
        lines = [line for line in done.stderr.splitlines() if line.startswith(("error:", "OSError", "PermissionError"))]
        if done.returncode == 0 or len(lines) != 1:
            raise Broken(f"status {done.returncode}, {len(lines)} lines: {done.stderr[-3000:]}")
        return lines[0]

    def check_untouched(self) -> None:
        now = results(self.folder)
        if changed := [name for name, digest in self.before.items() if now.get(name) != digest]:
            raise Broken(f"touched: {changed[:3]}")

    def check_recovery(self) -> None:
        snakemake(self.folder, "--unlock")
        done = snakemake(self.folder, "--", *self.targets)
        if done.returncode != 0:
            raise Broken(done.stderr[-3000:])
        if results(self.folder) != self.wanted:
            raise Broken("the results differ from those of an undisturbed run")
        if left := list((self.folder / "results").rglob(".partial-*")):
            raise Broken(f"left behind: {left[:3]}")


def mount(path: Path, *options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(path)], check=True)


def full_disk(study: Study, room: int) -> str:
    """A disk on which ``room`` bytes are free when the job starts; then there are more."""
    kept = study.top.rename(study.folder / "kept")
    study.top.mkdir()
    with ExitStack() as stack:
        mount(study.top, "-o", "size=100m")
        stack.callback(subprocess.run, ["umount", "-l", str(study.top)], check=True)
        shutil.copytree(kept, study.top, dirs_exist_ok=True, symlinks=True)
        filler = study.top / "filler"
        free = shutil.disk_usage(study.top).free
        filler.write_bytes(bytes(free - room))
        line = study.fail()
        study.check_untouched()
        filler.unlink()
        study.check_recovery()
    return line


def read_only(study: Study) -> str:
    subprocess.run(["mount", "--bind", str(study.top), str(study.top)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(study.top)], check=True)
        line = study.fail()
        study.check_untouched()
    finally:
        subprocess.run(["umount", "-l", str(study.top)], check=True)
    study.check_recovery()
    return line


def flip(path: Path, place: float) -> None:
    """Flip a bit, at a share ``place`` of the file, as a failing disk does: the file looks as old as before."""
    content, stat = bytearray(path.read_bytes()), path.stat()
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def truncate(path: Path, place: float) -> None:
    stat = path.stat()
    os.truncate(path, int(place * stat.st_size))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def remove(path: Path, _: float) -> None:
    path.unlink()


def damaged(study: Study, file: str, how: Callable[[Path, float], None], place: float, delete: str) -> str:
    """A damaged or missing input; the remedy is that of the line: delete it, and run again."""
    path = study.top / file
    how(path, place)
    study.before = results(study.folder)
    line = study.fail()
    if not re.search(rf"{re.escape(file)}: (damaged .*|missing); delete \S+ ?.* ?and run again", line):
        raise Broken(f"unclear: {line}")
    study.check_untouched()
    remedy = study.top / delete
    shutil.rmtree(remedy) if remedy.is_dir() else remedy.unlink()
    study.check_recovery()
    return line


def terminated(study: Study) -> str:
    line = study.fail(
        FAULT="lm_interpolation.models.training_state:Reporter.on_log:2:terminate",
        PYTHONPATH=str(ROOT / "tests" / "faults"),
    )
    if not re.search(r"interrupted at step \d+ by SIGTERM; the next run goes on from there$", line):
        raise Broken(f"unclear: {line}")
    study.check_untouched()
    study.check_recovery()
    step = re.findall(r"step (\d+)", line)[0]
    log = (study.top / "logs" / "models" / "positive.log").read_text()
    if f"checkpoint-{step}" not in log:
        raise Broken(f"did not go on from step {step}: {log}")
    return line


def orphaned(study: Study, fault: str, log: str) -> str:
    """Snakemake is killed, its job goes on; the next run starts that job again, and the older one makes way."""
    holder, pid = orphan(study, f"{fault}:orphan", log)
    study.check_recovery()
    if runs(pid):
        raise Broken(f"{holder} still runs")
    return f"an earlier run of this job is asked to end: {holder}"


def ended(study: Study, fault: str, log: str) -> str:
    """Snakemake is killed, its training comes to its end; the next run takes the results."""
    holder, pid = orphan(study, f"{fault}:orphan", log)
    while runs(pid):
        time.sleep(0.1)
    study.check_recovery()
    written = (study.top / "logs" / log).with_suffix(".log").read_text()
    if "finished by a run that Snakemake did not see the end of" not in written:
        raise Broken(f"trained again after {holder}: {written}")
    return written.strip()


def hung(study: Study, fault: str, log: str) -> str:
    """The same, but the older one does not end when asked to, but when somebody kills it."""
    holder, pid = orphan(study, f"{fault}:hang", log)
    snakemake(study.folder, "--unlock")
    line = study.fail()
    study.check_untouched()
    if f"an earlier run of this job still runs: {holder}; wait for its end" not in line:
        raise Broken(f"unclear: {line}")
    os.kill(int(pid), signal.SIGKILL)
    study.check_recovery()
    return line


def runs(pid: str) -> bool:
    stat = Path("/proc", pid, "stat")
    # Not as a zombie, for which nobody has waited.
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def orphan(study: Study, fault: str, log: str) -> tuple[str, str]:
    """Kill Snakemake alone; who holds the lock of its job (host and process id), and that id."""
    # Not `snakemake`, which would wait for the job's end as well.
    killed = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "tiny.yaml", "--", *study.targets],
        cwd=study.folder,
        env=os.environ | {"FAULT": fault, "PYTHONPATH": str(ROOT / "tests" / "faults")},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if killed.returncode != -signal.SIGKILL:
        raise Broken(f"Snakemake ended with status {killed.returncode}")
    path = study.top / "logs" / log
    lock = path.with_name(f".{path.name}.log.lock").read_text().strip()
    pid = lock.split()[1]
    if not runs(pid):
        raise Broken(f"{lock} has not outlived its Snakemake")
    return lock, pid


FAULTS: dict[str, tuple[list[str], Callable[[Study], str]]] = {
    "disk full, log": (STAGES["training"], lambda study: full_disk(study, 0)),
    "disk full, checkpoint (0.1 MB)": (STAGES["training"], lambda study: full_disk(study, 100_000)),
    "disk full, checkpoint (0.3 MB)": (STAGES["training"], lambda study: full_disk(study, 300_000)),
    "disk full, checkpoint (0.7 MB)": (STAGES["training"], lambda study: full_disk(study, 700_000)),
    "disk full, merge": (STAGES["texts"], lambda study: full_disk(study, 60_000)),
    "disk full, scores": (STAGES["scores"], lambda study: full_disk(study, 0)),
    "read-only results": (STAGES["texts"], read_only),
    "flipped bit, weights of a model, trained further": (
        STAGES["training"],
        lambda study: damaged(study, "models/base/model.safetensors", flip, 0.7, "models/base"),
    ),
    "flipped bit, weights of a model, merged": (
        STAGES["texts"],
        lambda study: damaged(study, "models/negative/model.safetensors", flip, 0.7, "models/negative"),
    ),
    "truncated weights, merged": (
        STAGES["texts"],
        lambda study: damaged(study, "models/negative/model.safetensors", truncate, 0.9, "models/negative"),
    ),
    "flipped bit, config.json of a judge": (
        STAGES["scores"],
        lambda study: damaged(study, "models/base/config.json", flip, 0.5, "models/base"),
    ),
    "flipped bit, tokenizer.json of a judge": (
        STAGES["scores"],
        lambda study: damaged(study, "models/base/tokenizer.json", flip, 0.5, "models/base"),
    ),
    "tokenizer.json of a judge deleted": (
        STAGES["scores"],
        lambda study: damaged(study, "models/base/tokenizer.json", remove, 0, "models/base"),
    ),
    "config.json of a model deleted, trained further": (
        STAGES["training"],
        lambda study: damaged(study, "models/base/config.json", remove, 0, "models/base"),
    ),
    "flipped bit, texts": (
        STAGES["scores"],
        lambda study: damaged(
            study, "texts/weights/neutral/positive=1.parquet", flip, 0.2, "texts/weights/neutral/positive=1.parquet"
        ),
    ),
    "flipped bit, footer of texts": (
        STAGES["scores"],
        lambda study: damaged(
            study, "texts/weights/neutral/positive=1.parquet", flip, 0.8, "texts/weights/neutral/positive=1.parquet"
        ),
    ),
    "truncated corpus": (
        STAGES["training"],
        lambda study: damaged(study, "corpora/reviews/train.parquet", truncate, 0.5, "corpora/reviews/train.parquet"),
    ),
    "SIGTERM, training": (STAGES["training"], terminated),
    "Snakemake killed, its training lives on": (
        STAGES["training"],
        lambda study: orphaned(study, "lm_interpolation.models.training_state:Reporter.on_log:3", "models/positive"),
    ),
    "Snakemake killed, its training ends": (
        STAGES["training"],
        lambda study: ended(study, "lm_interpolation.models.training_state:Reporter.on_log:3", "models/positive"),
    ),
    "Snakemake killed, its training hangs": (
        STAGES["training"],
        lambda study: hung(study, "lm_interpolation.models.training_state:Reporter.on_log:3", "models/positive"),
    ),
    "Snakemake killed, its generation lives on": (
        STAGES["texts"],
        lambda study: orphaned(
            study,
            "lm_interpolation.texts.generation:_sample_batch:2",
            "texts/weights/neutral/negative=0.5+positive=0.5",
        ),
    ),
}


def main() -> None:
    chosen = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        finished = Path(scratch, "finished")
        finished.mkdir()
        copy_sources(finished)
        shutil.copy(ROOT / "tests" / "tiny.yaml", finished)
        done = snakemake(finished)
        if done.returncode != 0:
            sys.exit(done.stderr[-3000:])
        broken = 0
        for number, (name, (missing, hit)) in enumerate(FAULTS.items()):
            if chosen and not any(word in name for word in chosen):
                continue
            started = time.monotonic()
            try:
                told = hit(Study(finished, Path(scratch, str(number)), missing))
                outcome = "nothing lost, same results"
            except Broken as error:
                told, outcome = str(error), "BROKEN"
                broken += 1
            told = told.replace(str(Path(scratch, str(number))) + "/", "").replace("results/tiny/", "")
            print(f"{name}: {outcome} ({time.monotonic() - started:.0f} s)\n    {told}", flush=True)
        sys.exit(f"{broken} faults did harm" if broken else 0)


if __name__ == "__main__":
    main()

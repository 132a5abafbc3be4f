"""Random kill -9 of jobs and of Snakemake during a tiny study; the files left must match an undisturbed run.

    .venv/bin/python -m tests.campaign.kill_campaign --kills 50 --seed 1

A reference run (undisturbed, merged checkpoints kept) gives the sha256 of every result. Then the study is built again
and again in a second folder until the given number of kills is reached. After a random time each kill hits a running
job, only Snakemake (its jobs continue without it), or both at once. After a kill of Snakemake the remaining jobs are,
at random, killed too, allowed to finish, or left alive while Snakemake starts again. Whenever nothing runs, every file
under its final name must equal the reference byte for byte: a stale, truncated or foreign file is reported and ends the
campaign. So does a run that fails by itself.
"""

import argparse
import collections
import contextlib
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.whole.test_workflow import ROOT, copy_sources

STUDY = "tiny"
# What may differ between two runs: times, and work that is not finished.
ASIDE = {"logs", "benchmarks", "scratch", "summary.txt", "manifest.json"}
# The records of these two hold their digests.
ASIDE |= {"summary.txt.json", "manifest.json.json"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", f"{STUDY}.yaml", *arguments]


def start(folder: Path, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with open(log, "ab") as handle:
        return subprocess.Popen(
            command(*arguments), cwd=folder, stdout=handle, stderr=subprocess.STDOUT, start_new_session=True
        )


def alive(folder: Path) -> list[psutil.Process]:
    """Processes that work in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def jobs(folder: Path) -> list[psutil.Process]:
    """Those of them that run a script of the workflow."""
    found = []
    for process in alive(folder):
        try:
            if any(".snakemake/scripts/" in word for word in process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def kill(process: psutil.Process) -> None:
    # Unless it was faster.
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)


def wait_for_silence(folder: Path) -> None:
    while alive(folder):
        time.sleep(0.05)


def results(folder: Path) -> dict[str, str]:
    """sha256 by path of every file under its final name."""
    top = folder / "results" / STUDY
    return {
        str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(top.rglob("*"))
        if path.is_file()
        and not ASIDE & set(path.relative_to(top).parts)
        and not any(part.startswith((".partial-", ".old-", ".snakemake")) for part in path.relative_to(top).parts)
    }


def compare(folder: Path, reference: dict[str, str], whole: bool) -> int:
    """Number of files that are the reference's; ends the campaign at one that is not, or (``whole``) is missing."""
    found = results(folder)
    wrong = [path for path, digest in found.items() if reference.get(path) != digest]
    # Merged checkpoints are temporary, except in the reference.
    missing = [path for path in reference if path not in found and not path.startswith("checkpoints/")] if whole else []
    if wrong or missing:
        sys.exit(f"{folder}: stale, truncated or foreign: {wrong}; missing: {missing}")
    return len(found)


def leftovers(folder: Path) -> list[str]:
    top = folder / "results" / STUDY
    names = [path for pattern in (".partial-*", ".old-*") for path in top.rglob(pattern)]
    return [str(path.relative_to(top)) for path in [*names, *(top / "scratch").glob("*")]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=12, help="mean seconds from a start to the kill")
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    top = options.folder or Path(tempfile.mkdtemp(prefix="kill-campaign-"))
    print(f"in {top}, seed {options.seed}", flush=True)
    folders = {name: (top / name).resolve() for name in ("reference", "killed")}
    for folder in folders.values():
        folder.mkdir(parents=True)
        copy_sources(folder)
        shutil.copy(ROOT / "tests" / f"{STUDY}.yaml", folder)
    if start(folders["reference"], top / "reference.log", "--notemp").wait() != 0:
        sys.exit(f"the undisturbed run failed, see {top / 'reference.log'}")
    reference = results(folders["reference"])
    print(f"reference: {len(reference)} files", flush=True)

    folder, log = folders["killed"], top / "killed.log"
    struck: collections.Counter[str] = collections.Counter()
    starts = finished = compared = refused = 0
    while sum(struck.values()) < options.kills or finished == 0:
        starts += 1
        left_alive = bool(jobs(folder))
        snakemake = start(folder, log)
        deadline = time.monotonic() + chance.expovariate(1 / options.pause)
        enough = sum(struck.values()) >= options.kills
        while snakemake.poll() is None and (enough or time.monotonic() < deadline):
            time.sleep(0.02)
        if snakemake.poll() is None:
            victim = chance.choice(["a job", "Snakemake", "both"])
            running = jobs(folder)
            if victim != "Snakemake" and not running:
                victim = "Snakemake"
            if victim != "a job":
                snakemake.kill()
            if victim != "Snakemake":
                kill(chance.choice(running))
            struck[victim] += 1
            snakemake.wait()
            fate = chance.choice(["killed", "left to end", "left alive"])
            if victim == "a job":
                fate = "left to end"
            if fate == "killed":
                for process in jobs(folder):
                    kill(process)
            if fate != "left alive":
                wait_for_silence(folder)
                compared += compare(folder, reference, whole=False)
            print(f"kill {sum(struck.values())}: {victim}; jobs that went on: {fate}", flush=True)
        elif snakemake.returncode == 0:
            wait_for_silence(folder)
            compared += compare(folder, reference, whole=True)
            finished += 1
            left = leftovers(folder)
            print(f"finished: {len(results(folder))} files, all equal; leftovers: {left or 'none'}", flush=True)
            shutil.rmtree(folder / "results")
            shutil.rmtree(folder / ".snakemake")
        else:
            # A job that a Snakemake before it started may have been in its way, and nothing else.
            if not left_alive:
                sys.exit(f"Snakemake failed, although nothing was in its way, see {log}")
            refused += 1
            wait_for_silence(folder)
            compared += compare(folder, reference, whole=False)
        subprocess.run(command("--unlock"), cwd=folder, capture_output=True, check=False)
    kinds = ", ".join(f"{count} of {kind}" for kind, count in sorted(struck.items()))
    met = log.read_text().count("an earlier run of this job is asked to end")
    print(
        f"{sum(struck.values())} kills ({kinds}), {starts} starts, of which {refused} ended with an error; "
        f"{met} jobs met an earlier run of theirs; finished {finished} times; {compared} comparisons of a file with "
        "that of the undisturbed run, all equal"
    )


if __name__ == "__main__":
    main()

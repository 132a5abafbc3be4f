"""What goes wrong on a cluster, and what is lost: python -m tests.slurm.faults [name ...]

Prints a table. Each fault hits a training of the test's study (for memory: a job that needs more than it requested). In
the end the model must equal that of an undisturbed run byte for byte; otherwise the program fails. It takes six
minutes.
"""

import hashlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.slurm.virtual import (
    QUICK,
    Cluster,
    copy_study,
    finish,
    missing,
    run,
    snakemake,
    started,
    wait_for,
)

STUDY = ("--configfile", "study.yaml")
MODEL = "results/cluster/models/base"
LOG = "results/cluster/logs/models/base.log"
# A second for each of 40 steps, of which every fifth is saved.
SLOWLY = {"SLOW": "lm_interpolation.models.training_state:Reporter.on_step_end:1"}


def digest(folder: Path) -> str:
    """sha256 over the files of the model."""
    found = hashlib.sha256()
    for file in sorted((folder / MODEL).iterdir()):
        if file.name != ".snakemake_timestamp":
            found.update(file.name.encode() + file.read_bytes())
    return found.hexdigest()


def train(cluster: Cluster, folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start a slow training."""
    (folder / "slow").touch()
    return snakemake(cluster, folder, *arguments, *STUDY, "--", MODEL, **(SLOWLY | environment))


def saved(folder: Path) -> list[int]:
    """Steps of the checkpoints that a training can go on from."""
    return sorted(int(path.name.split("-")[1]) for path in folder.glob("results/cluster/scratch/*/checkpoint-*"))


def training(cluster: Cluster, folder: Path) -> str:
    """Id of the training that is running."""
    (job,) = [job for job in cluster.jobs(folder) if job.state == "RUNNING" and "train" in job.what]
    return job.id


def in_its_midst(cluster: Cluster, folder: Path) -> str:
    """Wait until a training has saved twice; its id."""
    wait_for("two checkpoints", lambda: any(step >= 10 for step in saved(folder)))
    return training(cluster, folder)


def story(cluster: Cluster, folder: Path) -> str:
    """Submissions of the training, and where the last one began."""
    jobs = [job for job in cluster.jobs(folder) if "train" in job.what]
    begin = re.search(r"continuing from \S*checkpoint-(\d+)", (folder / LOG).read_text())
    assert begin is not None, "it started over"
    ends = ", ".join(f"job {job.id} {job.state}" for job in jobs)
    return f"{ends}; the last one began at step {begin[1]} of 40"


def cancelled(cluster: Cluster, folder: Path) -> str:
    """scancel of a running training"""
    main = train(cluster, folder)
    job = in_its_midst(cluster, folder)
    (folder / "slow").unlink()
    cluster.ask("scancel", job)
    finish(main, folder)
    return story(cluster, folder)


def lost_node(cluster: Cluster, folder: Path) -> str:
    """node killed in the midst of a training"""
    main = train(cluster, folder)
    job = in_its_midst(cluster, folder)
    (node,) = [entry.node for entry in cluster.jobs(folder) if entry.id == job]
    cluster.kill_node(node)
    (folder / "slow").unlink()
    try:
        finish(main, folder)
    finally:
        cluster.up()
    return story(cluster, folder)


def time_limit(cluster: Cluster, folder: Path) -> str:
    """time limit hit in a training"""
    limit = ["--set-resources", "train_starting_model:runtime=2", "train_starting_model:slurm_extra='--signal=TERM@30'"]
    main = train(cluster, folder, *limit, SLOW="lm_interpolation.models.training_state:Reporter.on_step_end:3")
    wait_for("a training", lambda: saved(folder) != [])
    job = training(cluster, folder)

    def ended() -> bool:
        return any(entry.id == job and entry.state != "RUNNING" for entry in cluster.jobs(folder))

    wait_for("its time limit", ended)
    (folder / "slow").unlink()
    steps = max(saved(folder))
    finish(main, folder)
    return f"told before its two minutes were over, it saved step {steps}: {story(cluster, folder)}"


def abandoned(cluster: Cluster, folder: Path) -> str:
    """SIGKILL to Snakemake while a training runs; the id of that, which goes on."""
    main = train(cluster, folder)
    job = in_its_midst(cluster, folder)
    main.kill()
    main.wait()
    return job


def killed_snakemake(cluster: Cluster, folder: Path) -> str:
    """SIGKILL to Snakemake while a training runs, then make resume"""
    job = abandoned(cluster, folder)
    (folder / "slow").unlink()
    arguments = ["--profile", "profiles/slurm", *QUICK, *STUDY, "--", MODEL]
    finish(run(cluster, folder, "lm_interpolation", "resume", *arguments), folder)
    said = re.search(r"^cancelling .*$", (folder / "snakemake.log").read_text(), re.MULTILINE)
    assert said is not None and job in said[0].split(), said
    return f'"{said[0]}"; {story(cluster, folder)}'


def orphan(cluster: Cluster, folder: Path) -> str:
    """the same, but only --unlock and a new run, while the old job goes on"""
    job = abandoned(cluster, folder)
    finish(run(cluster, folder, "snakemake", "--unlock", "--cores", "1", *STUDY), folder)
    # It meets the orphan at work.
    again = train(cluster, folder)
    wait_for(
        "the end of the orphan",
        lambda: not any(entry.state == "RUNNING" and entry.id == job for entry in cluster.jobs(folder)),
    )
    (folder / "slow").unlink()
    finish(again, folder)
    return f"the new job asked the orphan to end: {story(cluster, folder)}"


def memory(cluster: Cluster, folder: Path) -> str:
    """a job that needs 2500 MB and asks for 2000"""
    target = "results/cluster/prompts/neutral.parquet"
    hungry = {"HUNGRY": "lm_interpolation.data.corpora:load_prompts:2500"}
    finish(snakemake(cluster, folder, *STUDY, "--", target, **hungry), folder)
    assert (folder / target).exists()
    return ", ".join(f"job {job.id} of {job.memory} {job.state}" for job in cluster.jobs(folder))


TRAININGS: dict[str, Callable[[Cluster, Path], str]] = {
    "cancelled": cancelled,
    "node": lost_node,
    "time": time_limit,
    "snakemake": killed_snakemake,
    "orphan": orphan,
}


def show(fault: Callable[[Cluster, Path], str], what: str, lost: str, seconds: float) -> None:
    print(f"| {fault.__doc__} | {what} | {lost} | {seconds:.0f} |", flush=True)


def main(names: list[str]) -> None:
    reason = missing()
    if reason is not None:
        sys.exit(reason)
    chosen = names or [*TRAININGS, "memory"]
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        undisturbed = top / "undisturbed"
        copy_study(undisturbed)
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *STUDY, "--", MODEL]
        subprocess.run(command, cwd=undisturbed, check=True, capture_output=True)
        print("| fault | what happened | what was lost | seconds |\n|---|---|---|---:|", flush=True)
        with started() as cluster:
            for key, fault in TRAININGS.items():
                if key in chosen:
                    # With what comes before the training.
                    folder = top / key
                    shutil.copytree(
                        undisturbed, folder, ignore=shutil.ignore_patterns("models", "training", "locks", "scratch")
                    )
                    begin = time.monotonic()
                    what = fault(cluster, folder)
                    assert digest(folder) == digest(undisturbed), f"{key}: the model differs"
                    show(fault, what, "nothing: the model is that of an undisturbed run", time.monotonic() - begin)
        if "memory" in chosen:
            with started(memory_is_enforced=True) as cluster:
                copy_study(top / "memory")
                begin = time.monotonic()
                show(memory, memory(cluster, top / "memory"), "nothing", time.monotonic() - begin)


if __name__ == "__main__":
    # SIGINT ends the cluster and its jobs, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main(sys.argv[1:])

"""The workflow on a real SLURM, which these tests start themselves (tests/slurm/virtual.py)."""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.slurm.virtual import HERE, ROOT, Cluster, copy_study, finish, missing, snakemake, started

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

REASON = missing()

TABLES = [f"results/cluster/tables/{name}.csv" for name in ("theta1", "cost")]
STUDY = ("--configfile", "study.yaml", "--", *TABLES)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if REASON is not None:
        pytest.skip(REASON)
    with started() as running:
        yield running


@dataclass(frozen=True)
class Generation:
    """A line of points.smk's jobs.txt."""

    point: str
    start: float
    end: float
    submission: str
    node: str
    gpus: str


def generate_points(cluster: Cluster, folder: Path, *arguments: str) -> list[Generation]:
    """Run points.smk in ``folder``, in the order in which the points ended."""
    shutil.copytree(ROOT / "profiles", folder / "profiles", dirs_exist_ok=True)
    shutil.copy(HERE / "points.smk", folder / "Snakefile")
    finish(snakemake(cluster, folder, *arguments), folder)
    lines = [line.split() for line in (folder / "jobs.txt").read_text().splitlines()]
    # Checkpoints are made one by one before their texts.
    assert {line[2] for line in lines if line[0] == "merge"} <= set("12345678")
    return [
        Generation(line[1], float(line[2]), float(line[3]), line[4], line[5], line[6])
        for line in lines
        if line[0] == "generate"
    ]


@pytest.mark.quick
def test_the_profile_has_what_the_default_one_has() -> None:
    default, slurm = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text()) for name in ("default", "slurm")
    )
    assert {key: slurm.get(key) for key in default} == default


def test_concurrent_jobs_have_gpus_of_their_own(cluster: Cluster, tmp_path: Path) -> None:
    done = generate_points(cluster, tmp_path, "--config", "points=8", "together=8")
    assert sorted((entry.node, entry.gpus) for entry in done) == [(n, g) for n in ("n1", "n2") for g in "0123"]
    # Merging and generation are one submission, with one GPU.
    jobs = cluster.jobs(tmp_path)
    assert [job.gpus for job in jobs] == [1] * 8
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert not list(tmp_path.glob("checkpoints/*"))


def test_several_points_in_a_submission_take_turns_on_one_gpu(cluster: Cluster, tmp_path: Path) -> None:
    done = generate_points(cluster, tmp_path, "--config", "points=6", "--group-components", "points=3")
    jobs = cluster.jobs(tmp_path)
    assert [job.gpus for job in jobs] == [1, 1]
    # Of three points of 5 and 10 minutes each.
    assert [job.minutes for job in jobs] == [45, 45]
    assert Counter(entry.submission for entry in done) == {job.id: 3 for job in jobs}
    for job in jobs:
        own = sorted((entry.start, entry.end) for entry in done if entry.submission == job.id)
        assert all(end <= start for (_, end), (start, _) in pairwise(own))


def test_a_failed_submission_is_tried_again(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "fail").mkdir()
    (tmp_path / "fail" / "p1").touch()
    done = generate_points(cluster, tmp_path, "--config", "points=2", "seconds=0")
    assert sorted(entry.point for entry in done) == ["p0", "p1"]
    # What points.smk asks for with attempt.
    states = sorted((job.state, job.memory, job.minutes) for job in cluster.jobs(tmp_path))
    assert states == [("COMPLETED", "400M", 15), ("COMPLETED", "800M", 30), ("FAILED", "400M", 15)]


def locally(folder: Path, *arguments: str) -> str:
    """Output of Snakemake on the test's study, without SLURM."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, *STUDY]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_tables_are_those_of_a_local_run(cluster: Cluster, tmp_path: Path) -> None:
    local, remote = tmp_path / "local", tmp_path / "remote"
    copy_study(local)
    copy_study(remote)
    running = snakemake(cluster, remote, *STUDY)
    try:
        locally(local)
    finally:
        finish(running, remote)

    results = Path("results") / "cluster"
    # Of the measurement of cost, seconds and memory differ between any two runs.
    table, cost = TABLES
    assert (remote / table).read_bytes() == (local / table).read_bytes()
    assert len((remote / cost).read_text().splitlines()) == len((local / cost).read_text().splitlines()) > 1
    texts = sorted((local / results / "texts").rglob("*.parquet"))
    assert len(texts) == 3
    for text in texts:
        assert (remote / text.relative_to(local)).read_bytes() == text.read_bytes()
    # Neither the texts' checkpoints nor those of the measurement of cost stay.
    assert not list((remote / results / "checkpoints").rglob("*=*"))
    jobs = cluster.jobs(remote)
    assert {job.state for job in jobs} == {"COMPLETED"}
    # Merging and generation together, and the checkpoints of the measurement.
    assert sum(job.what.startswith("rule_points") for job in jobs) == 3 + 2
    # A folder that a cluster has filled is finished for a local run, too.
    assert "Nothing to be done" in locally(remote, "--dry-run")

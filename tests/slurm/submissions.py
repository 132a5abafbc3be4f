"""The cost of submitting points one by one, in groups, or in arrays: python -m tests.slurm.submissions

Prints a table: submissions, wall time, the seconds for which GPUs were held, and for how many of these they were used.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.slurm.virtual import HERE, ROOT, finish, missing, snakemake, started

POINTS, SECONDS = 16, 5

WAYS: dict[str, list[str]] = {
    # In the profile's place.
    "one rule per submission": ["--groups", "nothing=points"],
    "merge and generate of a point": [],
    "4 points, in sequence": ["--group-components", "points=4"],
    "4 points, without sequence": ["sequence=0", "--group-components", "points=4"],
    "arrays, one task per point": ["--groups", "nothing=points", "--slurm-array-jobs", "merge,generate"],
}


def main() -> None:
    reason = missing()
    if reason is not None:
        sys.exit(reason)
    print(f"{POINTS} points that need a GPU for {SECONDS} s each; 8 GPUs\n")
    print("| way | submissions | wall s | GPU seconds held | GPU use | texts |")
    print("|---|---:|---:|---:|---:|---:|")
    with started() as cluster, tempfile.TemporaryDirectory() as top:
        for number, (way, options) in enumerate(WAYS.items()):
            folder = Path(top) / str(number)
            shutil.copytree(ROOT / "profiles", folder / "profiles")
            shutil.copy(HERE / "points.smk", folder / "Snakefile")
            config = ["--config", f"points={POINTS}", f"seconds={SECONDS}"]
            begin = time.monotonic()
            finish(snakemake(cluster, folder, *config, *options), folder)
            wall = time.monotonic() - begin
            jobs = cluster.jobs(folder)
            held = sum(job.gpus * job.seconds for job in jobs)
            texts = len(list((folder / "texts").iterdir()))
            sent = len({job.array for job in jobs})
            print(f"| {way} | {sent} | {wall:.0f} | {held} | {POINTS * SECONDS / held:.0%} | {texts} |", flush=True)


if __name__ == "__main__":
    main()

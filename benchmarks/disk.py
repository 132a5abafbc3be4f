"""Disk: how many merged checkpoints of a plane of 400 points lie there at once, the one that is being written included.

Snakemake, the rules, the merging and its tiny models are real. Generation, which needs a GPU in one of the two studies,
is a shell command that waits as long as a merge takes; so is what comes before and after it. What is compared is the
folder at any moment, with all checkpoints of the sweep kept.
"""

import threading
from pathlib import Path

import yaml

from benchmarks.dag import copy_workflow, make_trivial, snakemake, write_plane
from benchmarks.harness import Goal, Growth, Row
from lm_interpolation.study.study import Study

POINTS = 400


def run(runs: int, folder: Path) -> tuple[list[Row], list[Growth]]:
    """One execution of each study, whatever ``runs``: the count is a maximum over 400 points already."""
    study = folder / "study"
    copy_workflow(study)
    make_trivial(
        study,
        {
            "generate.py": "sleep 0.5; touch {output}",
            # Of the rule score.
            "{params.script}": "sleep 1; touch {output}",
            "train_classifier.py": "mkdir -p {output.model}; touch {output.loss_curve} {output.metrics}",
        },
    )
    rows = []
    for what, jobs, settings, arguments in (
        ("cpu, 4 jobs at once", 4, {"device": "cpu"}, ("--cores", "4")),
        # Where generation waits for a GPU, cores are idle.
        ("cuda, 2 GPUs and 8 cores", 2, {"device": "cuda"}, ("--cores", "8", "--resources", "gpu=2")),
    ):
        name = str(settings["device"])
        write_plane(study, name, POINTS)
        top = study / "results" / name
        models = [str((top / "models" / model).relative_to(study)) for model in ("base", "positive", "negative")]
        # Trained without the GPU that is not there.
        snakemake(study, "--cores", "2", "--configfile", f"{name}.yaml", "--", *models)
        write_plane(study, name, POINTS, **settings)
        scores = Study(yaml.safe_load((study / f"{name}.yaml").read_text(encoding="utf-8"))).lines.scores("plane")
        most = _Watch(top / "checkpoints" / "neutral")
        with most:
            snakemake(study, *arguments, "--configfile", f"{name}.yaml", "--", *scores)
        rows.append(
            Row(
                "disk",
                f"merged checkpoints on disk at once, {POINTS} points, {what}",
                [most.count],
                unit="checkpoints",
                peer="all kept",
                peers=[POINTS],
                goals=[Goal("ours", "at most", jobs + 1)],
            )
        )
    return rows, []


class _Watch:
    """While entered, looks into ``folder`` every few milliseconds; ``count`` is the most entries that were there."""

    def __init__(self, folder: Path) -> None:
        self.count = 0
        self._folder = folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._ended.wait(0.005):
            if self._folder.exists():
                self.count = max(self.count, sum(1 for _ in self._folder.iterdir()))

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._ended.set()
        self._thread.join()

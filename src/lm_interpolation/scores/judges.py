"""The quality of the classifiers that judge texts, and the mark for those that cannot tell the classes apart.

A training measures its classifier on the test split of its corpus (``training.train_classifier``). Whatever shows a
statistic of that classifier uses this module to say how good it is.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.runtime import UserError

LEAST_GAIN = 0.25
"""Our reading: a judge that leaves more than three quarters of the majority's errors, (accuracy − majority) /
(1 − majority) below this, is weak. So is one that finds a class of its score less often than a guess would: with a
recall below 1 / number of classes."""

MARK = "weak judge"


@dataclass(frozen=True)
class Quality:
    """Results of a classifier on the ``texts`` texts of the test split; all other numbers are shares.

    ``majority`` is the share of the most frequent class; ``recall`` is by class, under the scorer's names of classes;
    ``calibration_error`` is the expected calibration error over bins of the top probability.
    """

    texts: int
    accuracy: float
    majority: float
    recall: Mapping[str, float]
    calibration_error: float

    @property
    def chance(self) -> float:
        """The recall of guessing."""
        return 1 / len(self.recall)

    @property
    def near_majority(self) -> bool:
        """Whether the accuracy is hardly better than always naming the most frequent class."""
        return self.accuracy - self.majority < LEAST_GAIN * (1 - self.majority)

    def missed(self, classes: Iterable[str]) -> list[str]:
        """Those of ``classes`` that are found less often than by guessing."""
        return [name for name in classes if self.recall[name] < self.chance]


@dataclass(frozen=True)
class Judge:
    """The classifier of one scorer; ``quality`` is None if it is imported, since nothing was measured here."""

    model: str
    weights: Mapping[str, float]
    quality: Quality | None

    @cached_property
    def weaknesses(self) -> list[str]:
        """Why the judge is weak; empty if it is not."""
        if self.quality is None:
            return []
        reasons = ["its accuracy is close to the share of the most frequent class"] * self.quality.near_majority
        missed = self.quality.missed(name for name in self.quality.recall if self.weights.get(name))
        return reasons + [self._too_rarely(missed)] * bool(missed)

    def is_weak(self, statistic: str) -> bool:
        """Whether to mark ``statistic``, ``score`` or ``p_<class>``: the judge is weak overall, or for this class."""
        if self.quality is None:
            return False
        of_class = [statistic.removeprefix("p_")] if statistic.startswith("p_") else []
        return bool(self.weaknesses or self.quality.missed(of_class))

    def describe(self) -> str:
        """How good the judge is, in one line; for a weak judge the line begins with the mark."""
        quality = self.quality
        if quality is None:
            return "imported; its accuracy was not measured here"
        recall = ", ".join(f"{name} {share:.2f}" for name, share in quality.recall.items())
        told = [f"{MARK} ({' and '.join(self.weaknesses)})"] if self.weaknesses else []
        majority = f"(most frequent class {quality.majority:.3f})"
        told.append(f"accuracy {quality.accuracy:.3f} on {quality.texts} test texts {majority}")
        told += [f"recall {recall}", f"expected calibration error {quality.calibration_error:.3f}"]
        # All statistics of a weak judge are marked.
        others = [] if self.weaknesses else quality.missed(quality.recall)
        told += [f"{MARK} of p_{name} ({self._too_rarely([name])})" for name in others]
        return "; ".join(told)

    def _too_rarely(self, names: Sequence[str]) -> str:
        assert self.quality is not None
        return f"its recall of {' and '.join(names)} is below the {self.quality.chance:.2f} of a guess"


def read_judges(entries: Sequence[Mapping[str, Any]], metrics: Iterable[str | os.PathLike[str]]) -> dict[str, Judge]:
    """Map each scorer to its judge. ``entries`` hold ``scorer``, ``model``, ``weights``, ``labels`` and ``trained``.

    ``metrics`` are the metrics files of trained judges.

    Raises ``UserError`` if a file lacks some of a classifier's metrics.
    """
    paths = {path.parent.name: path for path in map(Path, metrics)}
    return {
        entry["scorer"]: Judge(
            entry["model"],
            entry["weights"],
            _read_quality(paths[entry["model"]], entry["labels"]) if entry["trained"] else None,
        )
        for entry in entries
    }


def _read_quality(path: Path, labels: Mapping[str, str]) -> Quality:
    try:
        test = json.loads(path.read_text(encoding="utf-8"))["test"]
        return Quality(
            test["texts"],
            test["accuracy"],
            test["majority_share"],
            {labels.get(name, name): share for name, share in test["recall"].items()},
            test["expected_calibration_error"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not the metrics of a classifier ({error!r}); delete it and run again") from None


def judge_lines(judges: Mapping[str, Judge]) -> list[str]:
    """One line per scorer: its judge, and how good the judge is."""
    return [f"{scorer} by {judge.model}: {judge.describe()}" for scorer, judge in judges.items()]


def marked(panel: Mapping[str, Any], judges: Mapping[str, Judge]) -> dict[str, Any]:
    """The panel with a mark in its ``label``, and in the label of its ``x``, where a weak judge gives the statistic."""
    found = dict(panel)
    if "scorer" in panel and panel["scorer"] in judges and judges[panel["scorer"]].is_weak(panel["statistic"]):
        found["label"] = f"{panel['label']} ({MARK})"
    if panel.get("x"):
        found["x"] = marked(panel["x"], judges)
    return found

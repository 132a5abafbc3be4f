"""The quality of the classifiers that judge texts, and the mark for those that cannot tell the classes apart.

A training measures its classifier on the test split of its corpus (``training.train_classifier``). If the study
declares an exam for it (``scores.exam``), that counts instead. Whatever shows a statistic of that classifier uses this
module to say how good it is.
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
recall below 1 / number of classes. An exam may name the accuracy that counts as good, in place of the first rule."""

MARK = "weak judge"


@dataclass(frozen=True)
class Range:
    """An estimate with its 95 % interval, whose limits are None if there are too few texts."""

    estimate: float
    low: float | None
    high: float | None

    def show(self, digits: int) -> str:
        """For people: ``0.81 [0.79, 0.83]``."""
        limits = "" if self.low is None or self.high is None else f" [{self.low:.{digits}f}, {self.high:.{digits}f}]"
        return f"{self.estimate:.{digits}f}{limits}"


@dataclass(frozen=True)
class Baseline:
    """A simpler classifier on the same texts; ``gain`` is the accuracy of the judge minus ``accuracy``."""

    accuracy: Range
    gain: Range

    def describe(self) -> str:
        """The judge against it."""
        is_better = self.gain.low is not None and self.gain.low > 0
        verdict = "better" if is_better else "not clearly better" if self.gain.estimate > 0 else "not better"
        told = f"a TF-IDF logistic regression: {self.accuracy.show(3)}"
        return f"{told}, the judge is {verdict} (difference {self.gain.show(3)})"


@dataclass(frozen=True)
class Exam:
    """What an exam adds to accuracy, recall and calibration.

    ``corpus`` is that of its texts; ``mark`` is the least accuracy that the study asks for (None: none); ``mcc`` and
    ``auc`` are Matthews' correlation coefficient and, for two classes, the area under the ROC curve; ``others`` are the
    classes of the judge that the exam lacks.
    """

    corpus: str
    mark: float | None
    accuracy: Range
    mcc: Range
    auc: Range | None
    others: Sequence[str]
    baseline: Baseline | None

    @property
    def is_missed(self) -> bool:
        """Whether the accuracy is below the mark."""
        return self.mark is not None and self.accuracy.estimate < self.mark


@dataclass(frozen=True)
class Quality:
    """Results of a classifier on the ``texts`` texts of the test split; all other numbers are shares.

    ``majority`` is the share of the most frequent class; ``recall`` is by class, under the scorer's names of classes;
    ``calibration_error`` is the expected calibration error over bins of the top probability. With an ``exam`` all are
    about its texts and classes.
    """

    texts: int
    accuracy: float
    majority: float
    recall: Mapping[str, float]
    calibration_error: float
    exam: Exam | None = None

    @property
    def chance(self) -> float:
        """The recall of guessing."""
        return 1 / len(self.recall)

    @property
    def near_majority(self) -> bool:
        """Whether the accuracy is hardly better than always naming the most frequent class. A mark counts instead."""
        if self.exam is not None and self.exam.mark is not None:
            return False
        return self.accuracy - self.majority < LEAST_GAIN * (1 - self.majority)

    def missed(self, classes: Iterable[str]) -> list[str]:
        """Those of ``classes`` that are found less often than by guessing; classes that an exam lacks are not."""
        return [name for name in classes if name in self.recall and self.recall[name] < self.chance]

    def describe(self) -> list[str]:
        """The numbers, in parts of one line."""
        majority = f"(most frequent class {self.majority:.3f})"
        recall = "recall " + ", ".join(f"{name} {share:.2f}" for name, share in self.recall.items())
        error = f"expected calibration error {self.calibration_error:.3f}"
        if self.exam is None:
            return [f"accuracy {self.accuracy:.3f} on {self.texts} test texts {majority}", recall, error]
        exam = self.exam
        told = [f"accuracy {exam.accuracy.show(3)} on {self.texts} test texts of {exam.corpus} {majority}"]
        if exam.mark is not None:
            told.append(f"our mark of {exam.mark:.2f} is {'missed' if exam.is_missed else 'reached'}")
        told.append(f"MCC {exam.mcc.show(2)}")
        told += [f"AUC {exam.auc.show(2)}"] if exam.auc is not None else []
        told += [recall, error]
        if exam.others:
            others = " and ".join(exam.others)
            told.append(f"its guess is the likeliest of these classes, {others} {_do(exam.others)} not count")
        return told + ([exam.baseline.describe()] if exam.baseline is not None else [])


@dataclass(frozen=True)
class Judge:
    """The classifier of one scorer; ``quality`` is None if it was not measured: it is imported, and has no exam."""

    model: str
    weights: Mapping[str, float]
    quality: Quality | None

    @cached_property
    def weaknesses(self) -> list[str]:
        """Why the judge is weak; empty if it is not."""
        if self.quality is None:
            return []
        reasons = ["its accuracy is close to the share of the most frequent class"] * self.quality.near_majority
        if (exam := self.quality.exam) is not None and exam.is_missed:
            reasons.append(f"its accuracy of {exam.accuracy.estimate:.3f} is below our mark of {exam.mark:.2f}")
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
        told = [f"{MARK} ({' and '.join(self.weaknesses)})"] if self.weaknesses else []
        told += quality.describe()
        # All statistics of a weak judge are marked.
        others = [] if self.weaknesses else quality.missed(quality.recall)
        told += [f"{MARK} of p_{name} ({self._too_rarely([name])})" for name in others]
        return "; ".join(told)

    def _too_rarely(self, names: Sequence[str]) -> str:
        assert self.quality is not None
        return f"its recall of {' and '.join(names)} is below the {self.quality.chance:.2f} of a guess"


def read_judges(entries: Sequence[Mapping[str, Any]], metrics: Iterable[str | os.PathLike[str]]) -> dict[str, Judge]:
    """Map each scorer to its judge. ``entries`` hold ``scorer``, ``model``, ``weights``, ``labels`` and ``trained``.

    If the judge has an exam, they also hold ``exam``, with its ``mark`` if it has one. ``metrics`` are the exams of
    these judges, and the metrics files of other trained ones; each is in a folder with the name of the model.

    Raises ``UserError`` if a file lacks some of a classifier's metrics.
    """
    paths = {path.parent.name: path for path in map(Path, metrics)}

    def quality_of(entry: Mapping[str, Any]) -> Quality | None:
        if "exam" in entry:
            return read_exam(paths[entry["model"]], entry["labels"], entry["exam"].get("mark"))
        return _read_quality(paths[entry["model"]], entry["labels"]) if entry["trained"] else None

    return {entry["scorer"]: Judge(entry["model"], entry["weights"], quality_of(entry)) for entry in entries}


def read_exam(path: Path, labels: Mapping[str, str], mark: float | None) -> Quality:
    """The results of an exam (``scores.exam``); ``labels`` renames classes of the judge.

    Raises ``UserError`` if the file lacks some of them.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        judge, simple = found["judge"], found["baseline"]
        exam = Exam(
            found["corpus"],
            mark,
            Range(**judge["accuracy"]),
            Range(**judge["mcc"]),
            Range(**judge["auc"]) if "auc" in judge else None,
            [labels.get(name, name) for name in found["others"]],
            None if simple is None else Baseline(Range(**simple["accuracy"]), Range(**simple["difference"])),
        )
        return Quality(
            found["texts"],
            judge["accuracy"]["estimate"],
            found["majority_share"],
            {labels.get(name, name): share for name, share in judge["recall"].items()},
            judge["expected_calibration_error"],
            exam,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not the exam of a judge ({error!r}); delete it and run again") from None


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


def _do(names: Sequence[str]) -> str:
    return "does" if len(names) == 1 else "do"

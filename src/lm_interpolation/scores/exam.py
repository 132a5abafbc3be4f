"""The exam of a judge: a classifier reads labelled texts that it has not learnt from, as scorers read them.

A simple baseline may read the same texts. The marks and the words are in ``judges``.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.runtime import UserError, announce
from lm_interpolation.scores.classifier import OnDone, score_classifier
from lm_interpolation.scores.tfidf import Labelled, tfidf_probabilities
from lm_interpolation.statistics.classification import measure, share

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Questions:
    """Texts (n,) of ``classes``, the ``labels`` (n,) of each, indices, and its document ``rows`` (n,), int64."""

    classes: Sequence[str]
    texts: Sequence[str]
    labels: np.ndarray
    rows: np.ndarray

    def take(self, places: np.ndarray) -> "Questions":
        """Those at ``places``, a mask (n,)."""
        texts = [text for text, here in zip(self.texts, places, strict=True) if here]
        return Questions(self.classes, texts, self.labels[places], self.rows[places])


def read_questions(path: PathLike, classes: Sequence[str]) -> Questions:
    """The texts of ``classes`` in a stored split. Raises ``UserError`` for a class without a text."""
    table = read_parquet(path, ["row", "text", "label"])
    names = np.array(table["label"].to_pylist(), dtype=object)
    for name in classes:
        if not (names == name).any():
            raise UserError(f"{path}: no text of class {name!r}, which the exam asks for; take it out of its classes")
    asked = np.isin(names, np.array(classes, dtype=object))
    texts = [text for text, here in zip(table["text"].to_pylist(), asked, strict=True) if here]
    labels = np.array([list(classes).index(name) for name in names[asked]])
    return Questions(classes, texts, labels, table["row"].to_numpy()[asked])


def examine(
    model_dir: PathLike,
    questions: Questions,
    taught: tuple[Labelled, Labelled] | None,
    labels: Mapping[str, str] | None,
    resamples: int,
    seed: int,
    batch_size: int,
    device: str = "cpu",
    precision: str = "fp32",
    progress: OnDone | None = None,
) -> dict[str, Any]:
    """How well the classifier in ``model_dir`` tells the classes of ``questions`` apart.

    ``labels`` renames classes of the model as in ``score_classifier``. Texts that are too long for it are cut; those
    without a token are left out. Probabilities of classes that the exam lacks do not count: the others are divided by
    their sum. ``taught`` are the train and dev texts of the baseline (None: no baseline); its ``difference`` is that of
    the accuracies, judge - baseline, text by text.

    Returns ``classes`` (the model's own names, like all keys), ``others`` (classes of the model that the exam lacks),
    ``texts``, ``documents``, ``left_out``, ``majority_share``, ``judge`` (see ``_told``), and ``baseline``: None, or
    the same of the baseline, with its facts and ``difference``.

    Raises ``UserError`` as ``score_classifier`` does, for a class that the model or the baseline does not know, and for
    a class of which no text is left.
    """
    scores = score_classifier(
        model_dir, questions.texts, batch_size, device, labels, progress, precision, too_long="cut"
    )
    found = {str(name).removeprefix("p_"): values for name, values in scores.items()}
    known = next(iter(found.values())).notna().to_numpy()
    if not known.all():
        announce(f"[exam] {int((~known).sum())} of {len(known)} texts have no token and are left out")
    asked = questions.take(known)
    if len(np.unique(asked.labels)) < len(asked.classes):
        raise UserError(f"{model_dir}: it has no token for any text of a class of its exam; choose other classes")
    own = {other: name for name, other in (labels or {}).items()}
    names = [own.get(name, name) for name in asked.classes]
    by_judge = {name: values[known].to_numpy(dtype=np.float64) for name, values in found.items()}
    judged = _shared(by_judge, asked.classes, f"{model_dir}: its classes are {', '.join(found)}")
    result = {
        "classes": names,
        "others": [own.get(name, name) for name in found if name not in asked.classes],
        "texts": len(asked.texts),
        "documents": len(np.unique(asked.rows)),
        "left_out": int((~known).sum()),
        "majority_share": float(np.bincount(asked.labels).max() / len(asked.labels)),
        "judge": _told(judged, asked, names, resamples, seed),
        "baseline": None,
    }
    if taught is not None:
        by_baseline, facts = tfidf_probabilities(*taught, asked.texts)
        by_baseline = {(labels or {}).get(name, name): values for name, values in by_baseline.items()}
        simple = _shared(by_baseline, asked.classes, f"the TF-IDF baseline learnt {', '.join(by_baseline)}")
        gain = (judged.argmax(axis=1) == asked.labels).astype(int) - (simple.argmax(axis=1) == asked.labels)
        place = np.unique(asked.rows, return_inverse=True)[1]
        told = _told(simple, asked, names, resamples, seed)
        result["baseline"] = facts | told | {"difference": share(gain, place, resamples, seed)}
    return result


def calibration_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """The bins of a result of ``examine``: a row each with ``reader`` (``judge`` or ``tfidf``) and its five numbers."""
    parts = {"judge": found["judge"], "tfidf": found["baseline"]}
    rows = [{"reader": name, **entry} for name, part in parts.items() if part is not None for entry in part["bins"]]
    return pd.DataFrame(rows, columns=["reader", "low", "high", "texts", "confidence", "accuracy"])


def _shared(found: Mapping[str, np.ndarray], classes: Sequence[str], known: str) -> np.ndarray:
    """Probabilities (n, k) of ``classes`` as if there were no others; ``known`` says for messages which there are."""
    missing = [name for name in classes if name not in found]
    if missing:
        raise UserError(f"{known}, and its exam asks for {', '.join(missing)}; correct classes or labels of the exam")
    values = np.column_stack([found[name] for name in classes])
    total = values.sum(axis=1, keepdims=True)
    return np.divide(values, total, out=np.full_like(values, 1 / len(classes)), where=total > 0)


def _told(
    probabilities: np.ndarray, asked: Questions, names: Sequence[str], resamples: int, seed: int
) -> dict[str, Any]:
    """``classification.measure``, with recall by name of the class."""
    told = measure(probabilities, asked.labels, asked.rows, resamples, seed)
    return told | {"recall": dict(zip(names, told["recall"], strict=True))}

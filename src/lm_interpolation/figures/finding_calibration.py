"""What a figure of calibration shows: whether judges are as often right as they are confident."""

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from lm_interpolation.scores.judges import Judge

CLOSE = 0.02
"""Our reading: a mean confidence that is this close to the accuracy is neither too high nor too low."""


def find_calibration(
    paths: Sequence[str | os.PathLike[str]],
    judges: Mapping[str, Judge],
    *,
    models: Sequence[str],
) -> list[str]:
    """A sentence per judge."""
    found = []
    for model, path in zip(models, paths, strict=True):
        parts = dict(list(pd.read_csv(path).groupby("reader")))
        told = f"{model}: {_told(parts['judge'])}"
        if "tfidf" in parts:
            told += f". The TF-IDF regression: {_told(parts['tfidf'])}"
        found.append(f"{told}.")
    return [*found, "Bins have no intervals."]


def _told(bins: pd.DataFrame) -> str:
    texts = bins["texts"]
    confidence, accuracy = ((bins[name] * texts).sum() / texts.sum() for name in ("confidence", "accuracy"))
    error = ((bins["confidence"] - bins["accuracy"]).abs() * texts).sum() / texts.sum()
    verdict = "too confident" if confidence > accuracy + CLOSE else "not confident enough"
    if abs(confidence - accuracy) <= CLOSE:
        verdict = "about as confident as it is right"
    numbers = f"mean confidence {confidence:.3f}, accuracy {accuracy:.3f}, expected calibration error {error:.3f}"
    return f"{verdict} ({numbers})"

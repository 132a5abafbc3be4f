"""How well a classifier tells classes apart: agreement of guesses with labels, ranking, calibration, and intervals.

Texts of one document share its label and its author, so intervals are over documents.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtri

from lm_interpolation.statistics.inference import ELEMENTS, LEAST_UNITS, TAIL, bootstrap_ratio

BINS = 15
"""Of confidence, as in Guo et al. 2017 (arXiv 1706.04599)."""


def matthews(confusion: np.ndarray) -> np.ndarray:
    """Matthews' correlation coefficient of confusion matrices (..., k, k), rows are labels and columns guesses.

    For more than two classes Gorodkin's generalisation (2004, doi 10.1016/j.compbiolchem.2004.09.006). It is 0 where
    all labels or all guesses are of one class.
    """
    total = confusion.sum(axis=(-2, -1))
    right = np.trace(confusion, axis1=-2, axis2=-1)
    labels, guesses = confusion.sum(axis=-1), confusion.sum(axis=-2)
    above = right * total - (labels * guesses).sum(axis=-1)
    below = np.sqrt((total**2 - (labels**2).sum(axis=-1)) * (total**2 - (guesses**2).sum(axis=-1)))
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)


def area_under_roc(values: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: how often a text of the class has a larger value than one of the other.

    Ties count half.

    ``values`` is (n,), ``positive`` (n,) bool, and ``weights`` (r, n), one row for each result. Returns (r,): NaN where
    one of the two classes has no weight.
    """
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf))
    sorted_weights, of_class = weights[:, order], positive[order]
    ups = np.add.reduceat(sorted_weights * of_class, starts, axis=1)
    downs = np.add.reduceat(sorted_weights * ~of_class, starts, axis=1)
    below = np.cumsum(downs, axis=1) - downs / 2
    pairs = ups.sum(axis=1) * downs.sum(axis=1)
    return np.divide((ups * below).sum(axis=1), pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def calibration_bins(probabilities: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    """Confidence and accuracy in ``BINS`` equal intervals of confidence, without empty ones.

    ``probabilities`` is (n, classes), ``truth`` (n,) class indices; the confidence of a text is its largest
    probability. Each bin has ``low`` and ``high``, ``texts``, and the means ``confidence`` and ``accuracy`` over them.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    found = []
    for number in np.unique(place):
        here = place == number
        means = {"confidence": float(confidence[here].mean()), "accuracy": float(right[here].mean())}
        found.append({"low": number / BINS, "high": (number + 1) / BINS, "texts": int(here.sum()), **means})
    return found


def calibration_error(bins: list[dict[str, Any]]) -> float:
    """Expected calibration error: mean gap between confidence and accuracy of ``calibration_bins``, by their texts."""
    total = sum(entry["texts"] for entry in bins)
    return float(sum(entry["texts"] * abs(entry["confidence"] - entry["accuracy"]) for entry in bins) / total)


def measure(
    probabilities: np.ndarray, truth: np.ndarray, units: np.ndarray, resamples: int, seed: int
) -> dict[str, Any]:
    """How well a classifier does, as plain values.

    Args:
        probabilities: (n, k) float64, k >= 2, rows sum to 1. The guess is the largest, the first of equal ones.
        truth: (n,) class indices; each class has a text.
        units: (n,) integers: the document of each text.
        resamples, seed: of the bootstrap over documents.

    Returns ``accuracy`` and ``mcc``, and for two classes ``auc``, each an estimate with a 95 % interval (``interval``);
    ``recall``, a share for each class; ``confusion``, k rows of counts, by label, of the guesses;
    ``expected_calibration_error`` and its ``bins``.
    """
    count = probabilities.shape[1]
    guess = probabilities.argmax(axis=1)
    documents, place = np.unique(units, return_inverse=True)
    cells = np.zeros((len(documents), count * count))
    np.add.at(cells, (place, truth * count + guess), 1)
    confusion = cells.sum(axis=0).reshape(count, count)

    def of_weights(weights: np.ndarray) -> np.ndarray:
        found = [matthews((weights @ cells).reshape(-1, count, count))]
        if count == 2:
            found.append(area_under_roc(probabilities[:, 1], truth == 1, weights[:, place]))
        return np.column_stack(found)

    estimates = of_weights(np.ones((1, len(documents))))[0]
    low, high = _percentiles(of_weights, len(documents), len(truth), resamples, seed)
    spread = [interval(*values) for values in zip(estimates, low, high, strict=True)]
    bins = calibration_bins(probabilities, truth)
    return {
        "accuracy": _accuracy(guess == truth, place, resamples, seed),
        **dict(zip(("mcc", "auc"), spread, strict=False)),
        "recall": (np.diag(confusion) / confusion.sum(axis=1)).tolist(),
        "confusion": confusion.astype(int).tolist(),
        "expected_calibration_error": calibration_error(bins),
        "bins": bins,
    }


def _accuracy(right: np.ndarray, place: np.ndarray, resamples: int, seed: int) -> dict[str, float | None]:
    """Share of ``right`` (n,) bool, with its interval. If all or none are right, Wilson's: no resample differs."""
    found = share(right, place, resamples, seed)
    if right.all() or not right.any():
        square = float(ndtri(1 - TAIL)) ** 2
        margin = square / (int(place.max()) + 1 + square)
        return interval(float(right[0]), 1 - margin if right[0] else 0.0, 1.0 if right[0] else margin)
    return {key: None if value is None else min(max(value, 0.0), 1.0) for key, value in found.items()}


def share(values: np.ndarray, place: np.ndarray, resamples: int, seed: int) -> dict[str, float | None]:
    """Mean of ``values`` (n,) over texts with its interval over documents; ``place`` (n,) numbers them from 0."""
    sizes = np.bincount(place).astype(np.float64)
    sums = np.bincount(place, weights=values.astype(np.float64))
    found = bootstrap_ratio(sums[:, None], sizes[:, None], resamples, seed)
    return interval(*(float(value[0]) for value in found))


def interval(estimate: float, low: float, high: float) -> dict[str, float | None]:
    """The three numbers under their names; None for NaN."""
    values = {"estimate": estimate, "low": low, "high": high}
    return {key: None if math.isnan(value) else float(value) for key, value in values.items()}


def _percentiles(
    statistics: Callable[[np.ndarray], np.ndarray], units: int, texts: int, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the percentile bootstrap; NaN with fewer than ``LEAST_UNITS`` units.

    ``statistics`` maps weights of the units, (r, units), to values (r, k); resamples without a value do not count.
    """
    generator = np.random.default_rng(seed)
    found = []
    for begin in range(0, resamples, size := max(1, ELEMENTS // texts)):
        drawn = generator.multinomial(units, np.full(units, 1 / units), size=min(size, resamples - begin))
        found.append(statistics(drawn.astype(np.float64)))
    values = np.vstack(found)
    if units < LEAST_UNITS:
        nothing = np.full(values.shape[1], np.nan)
        return nothing, nothing
    low, high = np.nanquantile(values, [TAIL, 1 - TAIL], axis=0)
    return low, high

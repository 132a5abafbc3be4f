"""Agreement, ranking, calibration and intervals of classifiers, against numbers by hand and scikit-learn."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from lm_interpolation.models.classifier_training import expected_calibration_error
from lm_interpolation.statistics.classification import (
    area_under_roc,
    calibration_bins,
    calibration_error,
    matthews,
    measure,
)


def test_correlation_of_a_table_by_hand() -> None:
    # (3 · 6 − 2 · 1) / √((3 + 2)(3 + 1)(6 + 2)(6 + 1)) = 16 / √1120
    assert matthews(np.array([[6.0, 2], [1, 3]])) == pytest.approx(0.478091)
    # Several tables at once: right always, wrong always, and nothing but guesses of one class.
    tables = np.array([[[4.0, 0], [0, 5]], [[0, 4], [5, 0]], [[4, 0], [5, 0]]])
    np.testing.assert_allclose(matthews(tables), [1, -1, 0])


def test_correlation_of_three_classes_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    truth, guess = generator.integers(0, 3, 200), generator.integers(0, 3, 200)
    guess[:80] = truth[:80]
    table = np.zeros((3, 3))
    np.add.at(table, (truth, guess), 1)
    assert matthews(table) == pytest.approx(matthews_corrcoef(truth, guess)) and matthews(table) > 0.2


def test_area_by_hand() -> None:
    values, positive = np.array([0.8, 0.1, 0.35, 0.4]), np.array([True, False, True, False])
    # Of four pairs, 0.35 against 0.4 is in the wrong order.
    assert area_under_roc(values, positive, np.ones((1, 4))) == [0.75]
    # A tie counts half: 0.4 twice.
    assert area_under_roc(np.array([0.8, 0.1, 0.4, 0.4]), positive, np.ones((1, 4))) == [0.875]
    # A weight is that many texts; without the class there is no area.
    weights = np.array([[1.0, 0, 2, 1], [0, 1, 0, 1]])
    np.testing.assert_allclose(area_under_roc(values, positive, weights), [1 / 3, np.nan])


def test_area_of_many_texts_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    positive = generator.random(300) < 0.4
    values = np.round(generator.random(300) + 0.3 * positive, 1)
    weights = generator.integers(0, 4, (2, 300)).astype(float)
    wanted = [roc_auc_score(positive, values, sample_weight=row) for row in weights]
    np.testing.assert_allclose(area_under_roc(values, positive, weights), wanted)


def test_bins_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.92, 0.08], [0.4, 0.6], [1.0, 0.0]])
    bins = calibration_bins(probabilities, np.array([0, 1, 1, 0]))
    # Of 15: 0.9 and 0.92 in [13/15, 14/15), 0.6 in [9/15, 10/15), and 1 in the last.
    assert [(entry["texts"], entry["accuracy"]) for entry in bins] == [(1, 1.0), (2, 0.5), (1, 1.0)]
    assert [entry["confidence"] for entry in bins] == pytest.approx([0.6, 0.91, 1.0])
    assert [(entry["low"], entry["high"]) for entry in bins] == [(9 / 15, 10 / 15), (13 / 15, 14 / 15), (14 / 15, 1)]
    assert calibration_error(bins) == pytest.approx((1 * 0.4 + 2 * 0.41 + 0) / 4)


def test_the_calibration_error_is_that_of_training() -> None:
    generator = np.random.default_rng(2)
    probabilities = generator.dirichlet([1, 1, 1], 500)
    truth = generator.integers(0, 3, 500)
    wanted = expected_calibration_error(probabilities, truth)
    assert calibration_error(calibration_bins(probabilities, truth)) == pytest.approx(wanted)


def made(count: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of ``count`` texts that a classifier tells apart more often than not."""
    generator = np.random.default_rng(seed)
    truth = np.arange(count) % 2
    of_class = np.clip(0.5 + 0.2 * (2 * truth - 1) + generator.normal(0, 0.25, count), 0.01, 0.99)
    return np.column_stack([1 - of_class, of_class]), truth


def test_a_classifier_of_two_classes() -> None:
    probabilities, truth = made(100)
    guess = probabilities.argmax(axis=1)
    found = measure(probabilities, truth, np.arange(100), 500, 0)
    assert found["accuracy"]["estimate"] == pytest.approx((guess == truth).mean())
    assert found["mcc"]["estimate"] == pytest.approx(matthews_corrcoef(truth, guess))
    assert found["auc"]["estimate"] == pytest.approx(roc_auc_score(truth, probabilities[:, 1]))
    assert found["recall"] == pytest.approx([(guess[truth == k] == k).mean() for k in (0, 1)])
    assert found["confusion"] == [[int(((truth == k) & (guess == g)).sum()) for g in (0, 1)] for k in (0, 1)]
    for name in ("accuracy", "mcc", "auc"):
        assert found[name]["low"] < found[name]["estimate"] < found[name]["high"], name
    # About 2 · 1.96 · √(p (1 − p) / n).
    share = found["accuracy"]["estimate"]
    width = found["accuracy"]["high"] - found["accuracy"]["low"]
    assert width == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 100), rel=0.2)
    assert measure(probabilities, truth, np.arange(100), 500, 0) == found


def test_a_classifier_that_is_always_right_may_yet_be_wrong() -> None:
    truth = np.arange(20) % 2
    # Wilson: 20 / (20 + 1.96²) documents; ten, if each has two texts.
    right = np.eye(2)[truth]
    assert measure(right, truth, np.arange(20), 100, 0)["accuracy"] == pytest.approx(
        {"estimate": 1, "low": 0.83887, "high": 1}, abs=1e-5
    )
    assert measure(right, truth, np.arange(20) // 2, 100, 0)["accuracy"]["low"] == pytest.approx(0.72247, abs=1e-5)
    wrong = measure(1 - right, truth, np.arange(20), 100, 0)["accuracy"]
    assert wrong == pytest.approx({"estimate": 0, "low": 0, "high": 0.16113}, abs=1e-5)
    # One mistake: the interval ends at 1.
    once = measure(np.eye(2)[[1, *truth[1:]]], truth, np.arange(20), 500, 0)["accuracy"]
    assert once["estimate"] == 0.95 and once["low"] < 0.9 and once["high"] == 1


def test_three_classes_have_no_area() -> None:
    found = measure(np.eye(3)[[0, 1, 2, 0]] * 0.7 + 0.1, np.array([0, 1, 2, 1]), np.arange(4), 100, 0)
    assert "auc" not in found and found["accuracy"]["estimate"] == 0.75
    # With so few texts there is no interval of the correlation.
    assert found["mcc"]["estimate"] == pytest.approx(matthews_corrcoef([0, 1, 2, 1], [0, 1, 2, 0]))
    assert found["mcc"]["low"] is found["mcc"]["high"] is None


def test_pieces_of_a_document_are_no_further_evidence() -> None:
    probabilities, truth = made(60)
    once = measure(probabilities, truth, np.arange(60), 300, 0)
    often = measure(np.repeat(probabilities, 5, axis=0), np.repeat(truth, 5), np.repeat(np.arange(60), 5), 300, 0)
    alone = measure(np.repeat(probabilities, 5, axis=0), np.repeat(truth, 5), np.arange(300), 300, 0)

    def widths(found: dict[str, Any]) -> list[float]:
        return [found[name]["high"] - found[name]["low"] for name in ("accuracy", "mcc", "auc")]

    assert widths(often) == pytest.approx(widths(once))
    assert all(a < 0.6 * b for a, b in zip(widths(alone), widths(once), strict=True))

"""Intervals over trainings and prompts: by hand, their limits, and how often they hold the truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from lm_interpolation.statistics.inference import TAIL, Exact, Inference, MaxDifference, meets, ratios, units_to_decide
from lm_interpolation.statistics.medians import Median
from lm_interpolation.statistics.shares import Contrast
from lm_interpolation.statistics.trainings import OverTrainings, student_over

T2 = 4.302652729696142
"""The 97.5 % quantile of Student's t with two degrees of freedom (any table)."""


class Known:
    """A value with limits 1 below and 3 above it, at every tail."""

    finest = 0.01

    def __init__(self, value: float) -> None:
        self.value = value

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        return self.value - 1, self.value + 3


def test_students_interval_of_three_trainings() -> None:
    # 1, 2, 3 have the standard deviation 1; the second column does not vary.
    mean, reach = student_over(np.array([[1.0, 5], [2, 5], [3, 5]]))
    assert mean.tolist() == [2, 5]
    assert reach == pytest.approx([T2 / math.sqrt(3), 0])


def test_reaches_over_trainings_and_over_prompts_are_joined() -> None:
    found = OverTrainings([Known(1), Known(2), Known(3)])
    reach = T2 / math.sqrt(3)
    assert (found.value, found.finest) == (2, 0.01)
    assert found.limits(TAIL) == pytest.approx((2 - math.hypot(reach, 1), 2 + math.hypot(reach, 3)))
    # What cannot be is not in the interval.
    assert OverTrainings([Known(1), Known(2), Known(3)], least=0, most=4).limits(TAIL) == (0, 4)


def test_one_of_the_two_reaches_may_be_nothing() -> None:
    assert OverTrainings([Known(2)] * 3).limits(TAIL) == pytest.approx((1, 5))
    reach = T2 / math.sqrt(3)
    assert OverTrainings([Exact(1), Exact(2), Exact(3)]).limits(TAIL) == pytest.approx((2 - reach, 2 + reach))


def test_more_trainings_do_not_make_up_for_prompts() -> None:
    found = OverTrainings([Known(1), Known(2), Known(3)])
    low, high = found.limits(TAIL, 1e6)
    assert (low, high) == pytest.approx((1, 5), abs=0.01)
    # The interval over prompts excludes 0.5 (and not 1.5), so more trainings would decide on it.
    wanted = units_to_decide(found, 3, 0.5, at_most=False)
    assert wanted is not None and wanted > 3
    assert meets(*found.limits(TAIL, wanted / 3), 0.5, at_most=False)
    assert units_to_decide(found, 3, 1.5, at_most=False) is None


def test_too_few_units_for_an_interval_give_none_over_trainings() -> None:
    words = Median(np.array([1.0, 2, 3]))
    assert OverTrainings([words] * 3, least=0).limits(TAIL) == (-math.inf, math.inf)


def draw(
    generator: np.random.Generator, trainings: int, prompts: int, spread: float, shared: float, own: float
) -> list[np.ndarray]:
    """Values (prompts, 3) of points of each training: their truth is 0 at the first two, and -1 at the third."""
    of_prompts = generator.normal(0, shared, size=(prompts, 3))
    return [
        np.array([0, 0, -1.0])
        + generator.normal(0, spread, size=3)
        + of_prompts
        + generator.normal(0, own, size=(prompts, 3))
        for _ in range(trainings)
    ]


def first(values: np.ndarray) -> Inference:
    """The value of the first point, whose truth is 0."""
    return Contrast(ratios(values, np.ones_like(values)), [1, 0, 0], seed=0)


def highest(values: np.ndarray) -> Inference:
    """How far the higher one of the first two points lies above the third."""
    estimate, vectors = ratios(values, np.ones_like(values)), np.eye(3)
    return MaxDifference(estimate, vectors[:, :2], vectors[:, 2:], seed=0)


def coverage(
    measure: Callable[[np.ndarray], Inference], trainings: int, deviations: tuple[float, float, float], count: int
) -> tuple[float, float]:
    """How often in ``count`` studies the interval holds the truth: over trainings and prompts; over prompts alone."""
    # The higher one of two normal values lies 1 / sqrt(pi) standard deviations above their mean.
    truth = 0 if measure is first else 1 + deviations[0] / math.sqrt(math.pi)
    generator, held = np.random.default_rng(0), np.zeros(2)
    for _ in range(count):
        parts = [measure(values) for values in draw(generator, trainings, 40, *deviations)]
        for place, found in enumerate((OverTrainings(parts), parts[0])):
            low, high = found.limits(TAIL)
            held[place] += low <= truth <= high
    both, alone = held / count
    return both, alone


# Standard deviations of trainings, of prompts alike in all trainings, and of prompts in one of them.
@pytest.mark.parametrize(
    "deviations",
    [(0.5, 0, 1), (0.5, 1, 0), (0.2, 1, 1), (0, 1, 0), (0, 0, 1)],
    ids=["trainings and texts", "trainings and prompts", "all", "prompts", "texts"],
)
@pytest.mark.parametrize("trainings", [3, 5])
@pytest.mark.parametrize("measure", [first, highest])
def test_intervals_hold_the_truth_at_their_level(
    measure: Callable[[np.ndarray], Inference],
    trainings: int,
    deviations: tuple[float, float, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("inference", "shares"):
        monkeypatch.setattr(f"lm_interpolation.statistics.{module}.DRAWS", 200)
    count = 300
    both, alone = coverage(measure, trainings, deviations, count)
    # Three standard errors of the simulation below the level.
    assert both >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / count)
    if deviations[0] == 0.5:
        # Over prompts alone they say nothing of trainings.
        assert alone < 0.7

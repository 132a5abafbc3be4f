"""Intervals of proportions against published and exact values."""

import pytest
from scipy.stats import binomtest

from lm_interpolation.statistics.inference import TAIL, p_value
from lm_interpolation.statistics.proportions import Proportion


@pytest.mark.parametrize(("hits", "units"), [(0, 12), (3, 10), (59, 60), (60, 60)])
def test_of_independent_units_it_is_clopper_and_pearson(hits: int, units: int) -> None:
    exact = binomtest(hits, units).proportion_ci(0.95, method="exact")
    assert Proportion(hits / units, units).limits(TAIL) == pytest.approx((exact.low, exact.high), rel=1e-9)


def test_fewer_effective_units_widen_it_and_more_units_narrow_it() -> None:
    whole, half, more = (Proportion(0.9, 60), Proportion(0.9, 30), Proportion(0.9, 30))
    assert half.limits(TAIL)[0] < whole.limits(TAIL)[0] < whole.limits(TAIL)[1] < half.limits(TAIL)[1]
    assert more.limits(TAIL, 2.0) == whole.limits(TAIL)
    # All of 60: the rule of three, two-sided.
    assert Proportion(1.0, 60).limits(TAIL) == (pytest.approx(0.025 ** (1 / 60)), 1.0)


def test_no_units_say_nothing() -> None:
    low, high = Proportion(0.9, 1e-9).limits(TAIL)
    assert low < 1e-6 and high > 1 - 1e-6


def test_the_p_value_agrees_with_the_interval() -> None:
    low, _ = Proportion(0.9, 60).limits(TAIL)
    assert p_value(Proportion(0.9, 60), low, at_most=False) == pytest.approx(0.05, rel=1e-3)

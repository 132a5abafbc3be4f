"""The probability of a lower loss against pairs counted by hand, and its limits."""

import numpy as np
import pytest

from lm_interpolation.statistics.superiority import Comparison, Superiority


def comparison(first: list[float], second: list[float], start: int = 0) -> Comparison:
    a, b = len(first), len(second)
    units = np.arange(start, start + a + b)
    return Comparison(np.array(first), units[:a], np.array(second), units[a:])


def of(first: list[float], second: list[float], **options: int) -> Superiority:
    strata = ["a"] * len(first) + ["b"] * len(second)
    return Superiority([[comparison(first, second)]], strata, len(first), seed=0, **options)


def test_pairs_by_hand() -> None:
    # Of 6 pairs: 1 is below 2 and 3 and equal to 1; 2.5 is below 3 only.
    assert of([1, 2.5], [1, 2, 3]).value == (0.5 + 1 + 1 + 0 + 0 + 1) / 6
    assert of([1, 2], [1, 2]).value == 0.5
    assert of([1.0, np.inf], [2.0, np.inf]).value == (1 + 1 + 0 + 0.5) / 4


def test_shifted_samples() -> None:
    random = np.random.default_rng(0)
    sample, other = random.normal(size=(2, 400))
    # For normal samples that lie d apart PB is Phi(d / sqrt(2)): 0.760 at 1.
    found = of(list(sample), list(other + 1), draws=500)
    assert found.value == pytest.approx(0.760, abs=0.03)
    low, high = found.limits(0.025)
    assert 0.7 < low < 0.760 < high < 0.82
    # As the variance of Mann and Whitney's statistic says, within a tenth.
    placement = (np.array(sample)[:, None] < np.array(other + 1)[None, :]).astype(float)
    error = np.sqrt(placement.mean(axis=1).var() / 400 + placement.mean(axis=0).var() / 400)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_swapping_the_kinds_gives_the_rest_to_one() -> None:
    first, second = [1.0, 2.0, 4.0, 4.5], [3.0, 4.0, 5.0]
    assert of(first, second).value + of(second, first).value == pytest.approx(1)


def test_where_all_pairs_agree_the_limit_rests_on_the_number_of_models() -> None:
    five = of([1, 1.1, 1.2, 1.3, 1.4], [2, 2.1, 2.2, 2.3, 2.4])
    # Of five none is worse: 0.025 to the power of 1/5.
    assert five.value == 1 and five.limits(0.025) == (pytest.approx(0.4782, abs=1e-4), 1)
    none = of([2, 2.1], [1, 1.1, 1.2])
    assert none.value == 0 and none.limits(0.025) == (0, pytest.approx(1 - 0.025**0.5))
    assert five.limits(0.025, more=12)[0] == pytest.approx(0.025 ** (1 / 60))


def test_resamples_have_the_variance_of_few_units() -> None:
    # One value of the first kind below the others, the rest above: the share below is a mean of five.
    first = [0.0, 2.0, 2.1, 2.2, 2.3]
    found = Superiority([[comparison(first, [1.0])]], [0] * 5 + [1], 5, seed=0, draws=20000)
    assert found.value == 0.2
    # The unbiased variance of that mean, p (1 - p) / (n - 1). With n drawn it would be 0.8 of it.
    assert found._draws.var() == pytest.approx(0.2 * 0.8 / 4, rel=0.05)


def test_groups_and_comparisons_have_equal_weight() -> None:
    sure, even = comparison([1.0] * 5, [2.0] * 7), comparison([1.0], [1.0], start=12)
    strata = ["a"] * 12 + ["b"] * 2
    assert Superiority([[sure, even], [even]], strata, 6, seed=0).value == (0.75 + 0.5) / 2


def test_a_unit_is_the_same_wherever_it_occurs() -> None:
    # In both comparisons the same two units: one resample says the same of both.
    one = Comparison(np.array([0.0, 2.0]), np.array([0, 1]), np.array([1.0]), np.array([2]))
    found = Superiority([[one], [one]], ["a", "a", "b"], 2, seed=0, draws=200)
    assert set(found._draws) == {0.0, 1.0}


def test_limits_are_the_same_for_the_same_seed() -> None:
    first, second = [1.0, 2.0, 4.0, 4.5], [3.0, 4.0, 5.0]
    assert of(first, second).limits(0.025) == of(first, second).limits(0.025)
    low, high = of(first, second).limits(0.025)
    narrow = of(first, second).limits(0.025, more=4)
    value = of(first, second).value
    assert narrow == (pytest.approx(value - (value - low) / 2), pytest.approx(value + (high - value) / 2))

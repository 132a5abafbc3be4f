"""Intervals, maxima, orders and medians against values computed by hand, brute force, and simulations."""

import itertools
import math

import numpy as np
import pytest
from scipy.special import stdtr

from lm_interpolation.statistics.inference import (
    TAIL,
    Estimate,
    MaxDifference,
    beside,
    bootstrap_ratio,
    holm,
    meets,
    p_value,
    ratios,
    student,
    units_to_decide,
)
from lm_interpolation.statistics.matched import Curve, MatchedDifference, between
from lm_interpolation.statistics.medians import Median, MedianRatio
from lm_interpolation.statistics.orderings import LowestPoints, RankCorrelation, _extreme_order, spearman


def of(values: np.ndarray) -> Estimate:
    return ratios(values, np.ones_like(values))


def noisy(means: list[float], units: int, sd: float = 1.0, seed: int = 0) -> Estimate:
    """An estimate whose values are exactly ``means``."""
    noise = np.random.default_rng(seed).normal(0, sd, size=(units, len(means)))
    return of(np.array(means) + noise - noise.mean(axis=0))


# --- means and ratios


def test_ratio_of_sums_and_its_error():
    # Unequal denominators: the ratio of sums, not the mean of ratios.
    estimate, _, _ = bootstrap_ratio(np.array([[1.0], [3.0]]), np.array([[1.0], [9.0]]), 10, seed=1)
    assert estimate[0] == pytest.approx(0.4)
    found = ratios(np.array([[1.0], [3.0]]), np.array([[1.0], [9.0]]))
    # Residuals 0.6 and -0.6, over the sum of denominators, 10.
    assert found.errors[0] == pytest.approx(math.sqrt(2 * (0.6**2 + 0.6**2)) / 10)
    # Of a mean it is the standard error.
    values = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_allclose(of(values).errors, values.std(axis=0, ddof=1) / math.sqrt(20))
    low, high = student(of(values))
    np.testing.assert_allclose((high - low) / 2, 2.0930241 * of(values).errors, rtol=1e-6)


def test_differences_are_paired():
    values = np.random.default_rng(0).normal(0, 10, size=(20, 1)) + np.array([0.0, 1.0])
    difference = of(values).contrasts(np.array([[-1.0], [1.0]]))
    assert difference.values[0] == pytest.approx(1) and difference.errors[0] == pytest.approx(0, abs=1e-12)
    both = beside([of(values[:, :1]), of(values[:, 1:])])
    assert both.contrasts(np.array([[-1.0], [1.0]])).errors[0] == pytest.approx(0, abs=1e-12)


def test_logarithms_and_back():
    estimate = of(np.random.default_rng(0).uniform(1, 3, size=(20, 2)))
    np.testing.assert_allclose(estimate.log().exp().influence, estimate.influence)
    np.testing.assert_allclose(estimate.log().errors, estimate.errors / estimate.values)


@pytest.mark.parametrize(("units", "least"), [(2, 0.93), (3, 0.91), (5, 0.91), (12, 0.93), (80, 0.93)])
def test_coverage_of_the_interval_of_a_mean(units, least):
    generator = np.random.default_rng(units)
    runs = 500
    values = generator.beta(2, 2, size=(units, runs))
    _, low, high = bootstrap_ratio(values, np.ones_like(values), 400, seed=1)
    assert np.mean((low <= 0.5) & (high >= 0.5)) >= least


def test_skewness_widens_the_interval_to_its_side():
    values = np.exp(np.random.default_rng(2).normal(0, 0.8, size=(12, 300)))
    estimate, low, high = bootstrap_ratio(values, np.ones_like(values), 400, seed=1)
    least, most = student(of(values))
    assert (low <= least + 1e-12).all() and (high >= most - 1e-12).all()
    assert np.median((high - estimate) / (most - estimate)) > 1.3
    covered, before = (np.mean((a <= math.exp(0.32)) & (b >= math.exp(0.32))) for a, b in ((low, high), (least, most)))
    assert covered > 0.9 > before


def test_resamples_are_shared_and_seeded():
    values = np.exp(np.random.default_rng(3).normal(size=(30, 1)))
    both = bootstrap_ratio(np.hstack([values, values + 10]), np.ones((30, 2)), 500, seed=5)
    for limit in both:
        assert limit[1] - limit[0] == pytest.approx(10)
    alone = bootstrap_ratio(values, np.ones((30, 1)), 500, seed=5)
    assert alone[1][0] == pytest.approx(both[1][0], rel=1e-12)
    assert bootstrap_ratio(values, np.ones((30, 1)), 500, seed=6)[2][0] != alone[2][0]


def test_interval_needs_two_units_and_equal_units_have_none():
    numerators, denominators = np.array([[2.0, 0], [0, 0]]), np.array([[4.0, 0], [0, 0]])
    estimate, low, high = bootstrap_ratio(numerators, denominators, 100, seed=1)
    assert estimate[0] == 0.5
    assert np.isnan([low[0], high[0], estimate[1], low[1], high[1]]).all()
    for units in (2, 8, 20):
        limits = bootstrap_ratio(np.full((units, 1), 0.3), np.ones((units, 1)), 100, seed=1)
        assert [float(value[0]) for value in limits] == pytest.approx([0.3] * 3, abs=1e-12)


# --- maxima


def test_one_value_has_the_interval_of_student():
    estimate = noisy([0.5], 20)
    found = MaxDifference(estimate, np.eye(1), seed=1)
    low, high = student(estimate)
    # Or a wider one: the limits of the resamples count, too.
    reach = (high[0] - low[0]) / 2
    for limit, least in zip((0.5 - found.limits(TAIL)[0], found.limits(TAIL)[1] - 0.5), (reach, reach), strict=True):
        assert 0.95 * least < limit < 1.2 * least
    assert found.value == pytest.approx(0.5, abs=0.02)
    turned = MaxDifference(estimate, np.eye(1), seed=1, negative=True)
    assert turned.limits(TAIL) == tuple(-limit for limit in reversed(found.limits(TAIL)))


def test_the_interval_of_a_maximum():
    # Five equal values: the largest of their errors is what the lower limit allows for, the upper one that of one.
    estimate = noisy([0.0] * 5, 80)
    error = estimate.errors.mean()
    found = MaxDifference(estimate, np.eye(5), seed=1)
    low, high = (limit / error for limit in found.limits(TAIL))
    assert low == pytest.approx(-2.6, abs=0.5) and high == pytest.approx(2.0, abs=0.5)
    # It lies about a standard error below the largest estimate, and this is 0.
    assert found.value / error == pytest.approx(-1.15, abs=0.35)
    # One of them above all others: its own interval.
    alone = MaxDifference(noisy([0.0] * 4 + [2.0], 80), np.eye(5), seed=1)
    low, high = ((limit - 2) / error for limit in alone.limits(TAIL))
    assert low == pytest.approx(-2.0, abs=0.5) and high == pytest.approx(2.0, abs=0.5)
    assert alone.value == pytest.approx(2, abs=0.01)
    assert found.limits(TAIL, 4.0) == pytest.approx([limit / 2 for limit in found.limits(TAIL)], rel=0.1)
    floor = MaxDifference(estimate, np.eye(5), seed=1, floor=0.0)
    assert floor.value == 0 and floor.limits(TAIL)[0] == 0


def test_the_more_points_the_more_is_corrected_on_both_sides():
    estimate = noisy([0.0] * 10, 80)
    some, others = np.eye(10)[:, :9], np.eye(10)[:, 9:]
    more = MaxDifference(estimate, some, others, seed=1)
    fewer = MaxDifference(estimate, others, some, seed=1)
    assert more.limits(TAIL) == pytest.approx([-limit for limit in reversed(fewer.limits(TAIL))], abs=0.05)
    assert more.value < 0 < fewer.value


def test_a_value_without_noise_is_its_interval():
    found = MaxDifference(of(np.tile([1.0, 3.0, 2.0], (8, 1))), np.eye(3), seed=0)
    assert (found.value, *found.limits(TAIL)) == pytest.approx((3, 3, 3))


# --- orders


def test_spearman_with_ties():
    values = np.array([[1, 2, 3, 4], [4, 3, 2, 1], [1, 3, 2, 4], [1, 1, 2, 2], [5, 5, 5, 5], [1, np.nan, 2, 3]])
    # One swap of neighbours among four: 1 - 6 * 2 / (4 * 15) = 0.8; two pairs of ties: 4 / sqrt(4 * 5).
    expected = [1, -1, 0.8, 4 / math.sqrt(20), 0]
    assert spearman(values)[:5].tolist() == pytest.approx(expected, rel=1e-12)
    assert spearman(values)[0] == 1
    assert np.isnan(spearman(values)[5])


@pytest.mark.parametrize("points", [3, 4, 5, 6])
def test_extreme_orders_against_all_orders(points):
    generator = np.random.default_rng(points)
    for share in (0.0, 0.2, 0.5, 1.0):
        places = np.argsort(generator.permutation(points))
        known = frozenset(
            (i, j)
            for i, j in itertools.permutations(range(points), 2)
            if places[i] < places[j] and generator.random() < share
        )
        sums = [
            sum((order.index(point) - point) ** 2 for point in range(points))
            for order in itertools.permutations(range(points))
            if all(order.index(lower) < order.index(higher) for lower, higher in known)
        ]
        assert _extreme_order(points, known, True) == max(sums)
        assert _extreme_order(points, known, False) == min(sums)


def test_rank_correlation_of_known_and_of_unknown_order():
    assert RankCorrelation(noisy([0, 10, 20, 30], 20), 1).limits(TAIL) == (1, 1)
    assert RankCorrelation(noisy([0, 0, 0, 0], 20), 1).limits(TAIL) == (-1, 1)
    # The two in the middle cannot be told apart.
    found = RankCorrelation(noisy([0, 10, 10.01, 30], 20), 1)
    assert (found.value, found.limits(TAIL)) == (1, (pytest.approx(0.8), 1))
    # With enough units they can.
    assert found.limits(TAIL, 1e6) == (1, 1)
    assert RankCorrelation(noisy([30, 10, 20, 0], 20), 1).limits(TAIL) == (pytest.approx(-0.8), pytest.approx(-0.8))


def test_lowest_points_that_are_certain_and_that_are_not():
    numbers = np.array([5.0, 1.0, 2.0, 7.0])
    certain = LowestPoints(noisy([0, 10, 20, 30], 20), numbers, 2, 1)
    assert (certain.value, certain.limits(TAIL)) == (3, (3, 3))
    assert certain.lowest.tolist() == [0, 1]
    # The second lowest may be the second or the third.
    open_ = LowestPoints(noisy([0, 10, 10.01, 30], 20), numbers, 2, 1)
    assert open_.limits(TAIL) == (3, 3.5)
    assert LowestPoints(noisy([0] * 4, 20), numbers, 2, 1).limits(TAIL) == (1.5, 6)
    assert open_.limits(TAIL, 1e6) == (3, 3)


# --- medians


def test_the_interval_of_a_median_holds_whatever_the_distribution():
    assert Median(np.arange(5.0)).limits(TAIL) == (-math.inf, math.inf)
    assert Median(np.arange(6.0)).limits(TAIL) == (0, 5)
    # 12 units: at most 2 below the median with probability 0.0193.
    assert Median(np.arange(12.0)).limits(TAIL) == (2, 9)
    generator = np.random.default_rng(1)
    for draw, truth in ((lambda n: generator.exponential(1, n), math.log(2)), (lambda n: generator.choice(3, n), 1)):
        limits = [Median(draw(15).astype(float)).limits(TAIL) for _ in range(500)]
        assert np.mean([low <= truth <= high for low, high in limits]) >= 0.95


def test_ratio_of_two_medians():
    ratio = MedianRatio(Median(np.arange(1.0, 8)), Median(np.arange(10.0, 80, 10)))
    assert (ratio.value, ratio.limits(TAIL)) == (0.1, (pytest.approx(1 / 70), 0.7))
    assert MedianRatio(Median(np.arange(1.0, 7)), Median(np.arange(1.0, 8))).limits(TAIL) == (-math.inf, math.inf)


# --- matched scores


def test_what_lies_between_two_points_of_a_curve():
    x = np.array([-2.0, -1, 0, 1, 2])
    at = np.linspace(-2, 2, 41)
    for curve in (np.square, lambda v: -np.square(v), np.exp, lambda v: v**3, lambda v: 3 * v + 1):
        low, high = between(at, x, curve(x))
        truth = curve(at)
        assert (low <= truth + 1e-12).all() and (truth <= high + 1e-12).all()
    # A straight line is known, up to rounding.
    np.testing.assert_allclose(low, high, atol=1e-12)
    # At the points themselves everything is; of a curve of constant curvature what has neighbours on both sides is.
    low, high = between(at, x, np.square(x))
    inner = np.abs(at) <= 1
    np.testing.assert_allclose(low[inner], np.square(at[inner]), atol=1e-12)
    np.testing.assert_allclose(high[inner], np.square(at[inner]), atol=1e-12)
    assert (high - low)[~inner].max() > 0.4
    # With two points: between the two.
    low, high = between(np.array([0.5]), np.array([0.0, 1.0]), np.array([2.0, 5.0]))
    assert (low[0], high[0]) == (2, 5)


def curves(grid: list[float], units: int = 40, seed: int = 0) -> Curve:
    at = np.array(grid)
    return Curve(noisy((0.2 + 0.3 * at).tolist(), units, 0.1, seed), noisy((at**2).tolist(), units, 0.1, seed + 1))


def test_grids_of_unequal_density_show_no_difference_of_equal_curves():
    coarse, dense = [0.0, 1, 2], [0.0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
    found = MatchedDifference(curves(coarse), curves(dense, seed=5), 0.2, 0, 1)
    # Straight lines of the coarse grid would lie 1/6 above the curve.
    assert abs(found.value) < 0.02
    assert found.bounds[0] < -0.1 and found.bounds[1] > 0.1
    low, high = found.limits(TAIL)
    assert low < 0 < high
    assert found.scores == (pytest.approx(0.2), pytest.approx(0.8))


def test_points_whose_score_does_not_rise_for_certain_are_no_knots():
    score = noisy([0, 1, 0.999, 1.001, 2, 1.5], 40, 0.1)
    assert Curve(score, score).knots().tolist() == [0, 1, 4]


# --- decisions


def test_three_verdicts():
    assert [meets(*limits, 1, True) for limits in ((0, 1), (0, 2), (1.5, 2), (1, 1))] == [True, None, False, True]
    assert [meets(*limits, 1, False) for limits in ((1, 2), (0, 2), (0, 0.5), (1, 1))] == [True, None, False, True]


def test_p_value_agrees_with_students():
    estimate = noisy([0.4], 20)
    # t = 0.4 / error with 19 degrees of freedom.
    found = p_value(MaxDifference(estimate, np.eye(1), seed=1), 0.0, True)
    t = 0.4 / estimate.errors[0]
    assert found == pytest.approx(2 * (1 - stdtr(19, t)), rel=0.6)
    assert p_value(Median(np.arange(1.0, 7)), 0.0, False) == pytest.approx(2 / 64, rel=0.01)
    assert p_value(MaxDifference(noisy([0.0], 20), np.eye(1), seed=1), 0.0, True) > 0.9
    assert p_value(MaxDifference(noisy([9.0], 20), np.eye(1), seed=1), 0.0, True) == pytest.approx(5e-4)


def test_units_to_decide():
    estimate = noisy([0.3], 30)
    found = MaxDifference(estimate, np.eye(1), seed=1)
    reach = 0.3 - found.limits(TAIL)[0]
    wanted = 30 * (reach / 0.3) ** 2
    assert units_to_decide(found, 30, 0.0, False) == pytest.approx(wanted, rel=0.12)
    # A value exactly at its threshold is not decided by any number.
    middle = sum(found.limits(0.4999)) / 2
    assert units_to_decide(found, 30, middle, False) is None


def test_holm():
    found = holm({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.9})
    assert found == {"b": pytest.approx(0.04), "c": pytest.approx(0.09), "a": pytest.approx(0.09), "d": 0.9}
    assert holm({}) == {}

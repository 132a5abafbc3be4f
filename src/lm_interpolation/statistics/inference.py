"""Statistical inference from a sample of units: prompts, texts, words or tensors.

Everything here rests on ratios of sums over units (a mean is sum / count). A ratio's *influence* says how much each
unit moves it; the standard errors of ratios and of all contrasts between them follow from influences, paired if they
rest on the same units. Errors of several values at once are multivariate t, drawn with Gaussian multipliers
(Chernozhukov, Chetverikov and Kato 2013, arXiv 1212.6906): as wide as Student's t where units are few.

On average the largest of several estimated values exceeds the largest true one, so percentiles of its draws are not
valid limits: see `MaxDifference`.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95
"""Coverage of all intervals."""

TAIL = (1 - LEVEL) / 2

LEAST_UNITS = 8
"""Our reading: fewer units give no verdict. Their intervals are Student's, which ignores skewness."""

DRAWS = 4000
"""Draws of the errors: enough for the level that Holm's correction needs for a hundred claims."""

ELEMENTS = 1 << 23
"""Elements of the resamples that are in memory at once."""

SKEWED_UNITS = 1000
"""Units up to which skewness matters."""

LEAST_ERROR = 1 / 3
"""A resample's standard error counts as at least this share of the sample's. Otherwise it would almost vanish in
resamples without the one unit that differs from all others."""

CLOSE = 2.0
"""A value whose estimated gap to the largest is at most this many standard errors is a candidate for the largest."""


@dataclass(frozen=True)
class Estimate:
    """Values that rest on the same units.

    ``values`` is (k,), ``influence`` (n, k): columns sum to 0, and ``influence.T @ influence`` is the covariance of the
    values. ``units`` is the number of units that count, at the value that has the fewest.
    """

    values: np.ndarray
    influence: np.ndarray
    units: int

    @property
    def errors(self) -> np.ndarray:
        """Standard errors, (k,)."""
        return np.sqrt((self.influence**2).sum(axis=0))

    def log(self) -> "Estimate":
        """The logarithms, by the delta method. All values must be positive."""
        return replace(self, values=np.log(self.values), influence=self.influence / self.values)

    def exp(self) -> "Estimate":
        """The exponentials, by the delta method."""
        values = np.exp(self.values)
        return replace(self, values=values, influence=self.influence * values)

    def take(self, places: np.ndarray) -> "Estimate":
        """Some of the values, or all in another order: by index or mask."""
        return replace(self, values=self.values[places], influence=self.influence[:, places])

    def contrasts(self, weights: np.ndarray) -> "Estimate":
        """Linear combinations: the columns of ``weights`` (k, p)."""
        return replace(self, values=self.values @ weights, influence=self.influence @ weights)

    def noise(self, seed: int, draws: int) -> np.ndarray:
        """Draws of (estimate - truth), (draws, k): multivariate t with units - 1 degrees of freedom."""
        generator = np.random.default_rng(seed)
        freedom = self.units - 1
        # As if each unit had a Gaussian multiplier, but with as many as there are values.
        root = np.linalg.qr(self.influence, mode="r")
        scale = np.sqrt(freedom / generator.chisquare(freedom, size=(draws, 1)))
        return (generator.standard_normal((draws, len(root))) * scale) @ root

    def skewed_noise(self, seed: int, draws: int) -> np.ndarray:
        """The same from the studentised bootstrap: (estimate of the resample - estimate) * error / its error.

        Values without an error have no noise.
        """
        n = len(self.influence)
        errors, found = self.errors, []
        # A part of the resamples at a time.
        for begin in range(0, draws, size := max(1, ELEMENTS // n)):
            weights = _resamples(n, min(size, draws - begin), (seed, begin))
            apart = weights @ self.influence
            # Around the mean of the resample.
            square = weights @ self.influence**2 - apart**2 / n
            scale = np.maximum(np.sqrt(np.maximum(square, 0)), LEAST_ERROR * errors)
            found.append(np.divide(apart * errors, scale, out=np.zeros_like(apart), where=errors > 0))
        return np.vstack(found)


# All claims about one set of prompts share them.
@functools.lru_cache(maxsize=1)
def _resamples(units: int, count: int, seed: tuple[int, int]) -> np.ndarray:
    """How often each unit occurs in each resample, (count, units)."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(units, np.full(units, 1 / units), size=count).astype(np.float64)


def ratios(numerators: np.ndarray, denominators: np.ndarray) -> Estimate:
    """The ratios sum(numerators) / sum(denominators) of columns; both arrays are (n, k), denominators >= 0.

    A unit whose denominator is 0 does not count. Each column needs at least two that do.
    """
    counts = (denominators > 0).sum(axis=0)
    totals = denominators.sum(axis=0)
    values = numerators.sum(axis=0) / totals
    influence = (numerators - values * denominators) / totals * np.sqrt(counts / (counts - 1))
    return Estimate(values, influence, int(counts.min()))


def beside(parts: Sequence[Estimate]) -> Estimate:
    """Several estimates that rest on the same units, as one."""
    return Estimate(
        np.concatenate([part.values for part in parts]),
        np.hstack([part.influence for part in parts]),
        min(part.units for part in parts),
    )


def student(estimate: Estimate, tail: float = TAIL) -> tuple[np.ndarray, np.ndarray]:
    """Student's intervals of each value, (low, high), each (k,): the share ``tail`` lies outside on either side."""
    reach = stdtrit(estimate.units - 1, 1 - tail) * estimate.errors
    return estimate.values - reach, estimate.values + reach


def bootstrap_ratio(
    numerators: np.ndarray, denominators: np.ndarray, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratios sum(numerators) / sum(denominators) with 95 % intervals; units are rows.

    Both arrays are (n_units, k) for k ratios; denominators are >= 0. The intervals are those of the studentised
    bootstrap (bootstrap-t, Efron 1981), which follows skewness, and never narrower than Student's. With fewer than
    ``LEAST_UNITS`` units they are Student's: so few units have too few different resamples. The resamples depend only
    on ``seed`` and n_units, and all ratios share them.

    Returns (estimate, low, high), each (k,) float64: NaN without a denominator. Limits are also NaN if fewer than
    two units count.
    """
    units = len(numerators)
    totals, counts = denominators.sum(axis=0), (denominators > 0).sum(axis=0)
    estimate = np.divide(numerators.sum(axis=0), totals, out=np.full(totals.shape, np.nan), where=totals > 0)
    low, high = np.full(totals.shape, np.nan), np.full(totals.shape, np.nan)
    known = counts >= 2
    if not known.any():
        return estimate, low, high
    top, bottom, values, n = numerators[:, known], denominators[:, known], estimate[known], counts[known]
    correction = n / (n - 1)
    errors = np.sqrt(((top - values * bottom) ** 2).sum(axis=0) * correction) / totals[known]
    least = stdtrit(n - 1, 1 - TAIL)
    down, up = least.copy(), least.copy()
    many = n >= LEAST_UNITS
    if many.any():
        weights = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=resamples)
        drawn = _studentised(weights.astype(np.float64), top[:, many], bottom[:, many], values[many], errors[many])
        lowest, highest = np.nanquantile(drawn, [TAIL, 1 - TAIL], axis=0)
        down[many], up[many] = np.maximum(down[many], highest), np.maximum(up[many], -lowest)
    low[known], high[known] = values - down * errors, values + up * errors
    return estimate, low, high


def _studentised(
    weights: np.ndarray, top: np.ndarray, bottom: np.ndarray, values: np.ndarray, errors: np.ndarray
) -> np.ndarray:
    """(ratio of the resample - ratio) / standard error in the resample, (resamples, k); NaN where no unit counts."""
    sums, present = weights @ bottom, weights @ (bottom > 0).astype(np.float64)
    # Around the ratio, so that little is lost to rounding.
    rest = top - values * bottom
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = (weights @ rest) / sums
        square = weights @ rest**2 - 2 * apart * (weights @ (rest * bottom)) + apart**2 * (weights @ bottom**2)
        own = np.sqrt(np.maximum(square, 0) * present / np.maximum(present - 1, 1)) / sums
        scale = np.maximum(own, LEAST_ERROR * errors)
        return np.where(errors > 0, apart / scale, 0.0)


class Inference(Protocol):
    """The value that a claim is about, and what the data say about it."""

    @property
    def value(self) -> float:
        """The estimate."""

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """An interval that lies wholly above the truth with probability at most ``tail``, and below it as rarely.

        ``more`` gives the interval for that many times as many units, if the estimates stayed the same.
        """

    @property
    def finest(self) -> float:
        """The smallest tail for which there are limits."""


@dataclass(frozen=True)
class Exact:
    """A value that is computed, not sampled: its interval is the value."""

    value: float
    finest = 0.0

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """The value, twice."""
        return self.value, self.value


def widths(units: int, more: float) -> float:
    """Width of an interval from ``more`` times as many units, relative to that from ``units``."""
    return float(stdtrit(units * more - 1, 1 - TAIL) / stdtrit(units - 1, 1 - TAIL)) / math.sqrt(more)


class MaxDifference:
    """max of some values minus max of others, all linear combinations of one estimate; without others, max of some.

    The estimated maximum exceeds the true one by about max over j of (error of j - gap from j to the largest). If
    that works against a limit, it is drawn with gaps that are smaller by ``CLOSE`` standard errors, so that all
    candidates count (the selection of Chernozhukov, Lee and Rosen 2013, Intersection bounds, Econometrica 81).
    If it would help, it does not count: each candidate for the largest is tested alone, and the limit is the farthest
    of theirs (an intersection-union test, Berger 1982, Technometrics 24). Errors are drawn in two ways, normal and from
    resamples, which are skewed as the data are; the wider limits count.

    With ``floor``, value and limits are never below it (a barrier, whose ends have height 0, cannot be lower).
    With ``negative``, they are those of the negative.

    Attributes:
        value: corrected by the median excess.
        largest: index of the largest of the first values.
    """

    finest = 1 / DRAWS

    def __init__(
        self,
        estimate: Estimate,
        some: np.ndarray,
        others: np.ndarray | None = None,
        *,
        seed: int,
        floor: float = -math.inf,
        negative: bool = False,
    ) -> None:
        """``some`` (k, p) and ``others`` (k, q) are the weights of the combinations."""
        if others is None:
            others = np.zeros((len(estimate.values), 1))
        count = some.shape[1]
        both = estimate.contrasts(np.hstack([some, others]))
        kinds = [both.noise(seed, DRAWS)]
        if both.units >= LEAST_UNITS and len(both.influence) <= SKEWED_UNITS:
            kinds.append(both.skewed_noise(seed, DRAWS))
        places = np.arange(both.values.size)
        self._some, self._others = _Largest(both.take(places < count)), _Largest(both.take(places >= count))
        self._noise = [(noise[:, :count], noise[:, count:]) for noise in kinds]
        self._units, self._floor, self._negative = both.units, floor, negative
        self.largest = self._some.at
        first, second = self._noise[0]
        excess = self._some.excess(first) - self._others.excess(second)
        value = self._some.top - self._others.top - float(np.median(excess))
        low, high = self._limits(0.5 - 1e-9, 1.0)
        self.value = self._shown(min(max(value, min(low, high)), max(low, high)))

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``Inference``."""
        low, high = map(self._shown, self._limits(tail, more))
        return (high, low) if self._negative else (low, high)

    def _limits(self, tail: float, more: float) -> tuple[float, float]:
        width = widths(self._units, more)
        lows, highs = [], []
        for first, second in self._noise:
            some, others = width * first, width * second
            above = self._some.excess(some, width)[:, None] - others
            below = self._others.excess(others, width)[:, None] - some
            lows.append(self._some.top - (self._others.values + np.quantile(above, 1 - tail, axis=0)).max())
            highs.append((self._some.values + np.quantile(below, 1 - tail, axis=0)).max() - self._others.top)
        return float(min(lows)), float(max(highs))

    def _shown(self, value: float) -> float:
        value = max(value, self._floor)
        return -value if self._negative else value


class _Largest:
    """The largest of several estimated values, and how far it exceeds the largest true one."""

    def __init__(self, estimate: Estimate) -> None:
        self.values = estimate.values
        self.at = int(estimate.values.argmax())
        self.top = float(estimate.values[self.at])
        self._gaps = self.top - estimate.values
        self._gap_errors = np.sqrt(((estimate.influence - estimate.influence[:, [self.at]]) ** 2).sum(axis=0))

    def excess(self, noise: np.ndarray, width: float = 0.0) -> np.ndarray:
        """Excess (draws,) for draws (draws, p) of the errors; gaps are reduced by ``CLOSE`` errors, times ``width``."""
        gaps = np.maximum(self._gaps - CLOSE * width * self._gap_errors, 0)
        return (noise - gaps).max(axis=1)


# --- decisions


def meets(low: float, high: float, threshold: float, at_most: bool) -> bool | None:
    """Whether an interval lies wholly on the right side of a threshold (True) or on the wrong one (False)."""
    # Digits after the twelfth are only rounding.
    low, high = round(low, 12), round(high, 12)
    if at_most:
        return True if high <= threshold else False if low > threshold else None
    return True if low >= threshold else False if high < threshold else None


def p_value(inference: Inference, threshold: float, at_most: bool) -> float:
    """Two-sided p-value: twice the largest tail whose interval still excludes the threshold.

    It is at least twice the finest tail of the inference.
    """
    low, high = max(inference.finest, 1e-9), 0.5 - 1e-9
    if meets(*inference.limits(high), threshold, at_most) is None:
        return 1.0
    if meets(*inference.limits(low), threshold, at_most) is not None:
        return 2 * low
    for _ in range(16):
        middle = math.sqrt(low * high)
        if meets(*inference.limits(middle), threshold, at_most) is None:
            low = middle
        else:
            high = middle
    return 2 * high


def units_to_decide(inference: Inference, units: int, threshold: float, at_most: bool) -> int | None:
    """About how many units would decide if the estimates stayed the same: two significant digits, rounded up.

    None if even a thousand times as many would not.
    """

    def decides(more: float) -> bool:
        return meets(*inference.limits(TAIL, more), threshold, at_most) is not None

    low, high = 1.0, 2.0
    while not decides(high):
        if high == 1000:
            return None
        low, high = high, min(2 * high, 1000.0)
    for _ in range(8):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if decides(middle) else (middle, high)
    wanted = math.ceil(units * high)
    step = 10 ** max(len(str(wanted)) - 2, 0)
    return -(-wanted // step) * step


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values corrected for their number (Holm 1979): those below 0.05 all hold together, with 95 % probability."""
    corrected, largest = {}, 0.0
    for index, (name, value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, (len(p_values) - index) * value))
        corrected[name] = largest
    return corrected

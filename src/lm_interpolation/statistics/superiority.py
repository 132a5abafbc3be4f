"""PB: the probability that a random one of some models has a lower loss than a random one of others.

PB = P(loss of A < loss of B) + P(equal) / 2, estimated over all pairs: the Mann-Whitney statistic, divided by their
number (Mann and Whitney 1947). Gueta et al. 2023 (arXiv 2302.04863) compare the models in, and outside, a region by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lm_interpolation.statistics.inference import DRAWS


@dataclass(frozen=True)
class Comparison:
    """Losses of two kinds of models on the same texts: (a,) and (b,) float64.

    ``first_units`` and ``second_units`` say which unit of the bootstrap each is: a unit may occur in both, and in
    several comparisons.
    """

    first: np.ndarray
    first_units: np.ndarray
    second: np.ndarray
    second_units: np.ndarray

    def lower(self) -> np.ndarray:
        """(a, b): 1 where the first has the lower loss, 0 where the second has it, 1/2 where they are equal."""
        one, other = self.first[:, None], self.second[None, :]
        return (one < other) + (one == other) / 2


class Superiority:
    """PB, the mean over groups of its mean over the comparisons of a group, with limits from resampled units.

    Units are resampled within their strata, one less than there are: with all of them the variance would be too small
    by the factor (n - 1) / n, 0.8 for five (Rao and Wu 1988, JASA 83; McCarthy and Snowden 1985). A unit that is alone
    in its stratum stays. A comparison that lacks a kind in a resample does not count there.

    Where all pairs agree, so do all resamples. Then the limit is that of Clopper and Pearson 1934 for as many of as
    many ``models``: from five models that all are better, nobody knows that PB is 1.

    Units are resampled when limits are first asked for.

    Attributes:
        value: the estimate.
    """

    finest = 1 / DRAWS

    def __init__(
        self,
        groups: Sequence[Sequence[Comparison]],
        strata: Sequence[object],
        models: int,
        seed: int,
        draws: int = DRAWS,
    ) -> None:
        """``strata`` names the stratum of each unit (hashable); ``models`` is the number that the value rests on."""
        self._groups, self._strata, self._models = groups, strata, models
        self._seed, self._count = seed, draws
        self.value = float(np.mean([np.mean([one.lower().mean() for one in group]) for group in groups]))

    @property
    def undefined(self) -> float:
        """Share of the resamples without a value."""
        return float(np.isnan(self._resampled).mean())

    @cached_property
    def _resampled(self) -> np.ndarray:
        """The value in each resample, (draws,); NaN where there is none."""
        counts = _resamples(self._strata, self._count, self._seed)
        return _mean([_mean([_drawn(one, counts) for one in group]) for group in self._groups])

    @cached_property
    def _draws(self) -> np.ndarray:
        """The values of the resamples that have one, ascending."""
        return np.sort(self._resampled[~np.isnan(self._resampled)])

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``inference.Inference``."""
        if self.value in (0, 1) or not len(self._draws):
            # Of so many models none is different.
            reach = tail ** (1 / (self._models * more))
            return (reach, 1.0) if self.value == 1 else (0.0, 1 - reach) if self.value == 0 else (0.0, 1.0)
        low, high = np.quantile(self._draws, [tail, 1 - tail])
        # As much narrower as with more models.
        low, high = (self.value + (end - self.value) / np.sqrt(more) for end in (low, high))
        return float(low), float(high)


def _resamples(strata: Sequence[object], draws: int, seed: int) -> np.ndarray:
    """How often each unit occurs in each resample: (draws, units) float64."""
    generator = np.random.default_rng(seed)
    counts = np.ones((draws, len(strata)))
    places: dict[object, list[int]] = {}
    for unit, stratum in enumerate(strata):
        places.setdefault(stratum, []).append(unit)
    for members in places.values():
        if (size := len(members)) > 1:
            counts[:, members] = generator.multinomial(size - 1, np.full(size, 1 / size), size=draws)
    return counts


def _drawn(one: Comparison, counts: np.ndarray) -> np.ndarray:
    """PB in each resample, (draws,): NaN where a kind is absent."""
    first, second = counts[:, one.first_units], counts[:, one.second_units]
    pairs = first.sum(axis=1) * second.sum(axis=1)
    won = ((first @ one.lower()) * second).sum(axis=1)
    return np.divide(won, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def _mean(values: Sequence[np.ndarray]) -> np.ndarray:
    """Mean over those that are defined, NaN where none is."""
    stacked = np.stack(values)
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0).sum(axis=0)
    return np.divide(total, known.sum(axis=0), out=np.full(total.shape, np.nan), where=known.any(axis=0))

"""Intervals of proportions whose units may depend on each other."""

from dataclasses import dataclass

from scipy.special import betaincinv


@dataclass(frozen=True)
class Proportion:
    """A share of units, in [0, 1], that is as uncertain as that of ``effective`` independent units.

    The limits are Clopper and Pearson's (1934), with the effective number of units in place of their number (Korn and
    Graubard 1998, Survey Methodology 24, 193-201). They hold at shares of 0 and 1, too, where standard errors are 0.
    """

    value: float
    effective: float
    finest = 0.0

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``inference.Inference``."""
        units = self.effective * more
        hits = units * self.value
        low = 0.0 if self.value <= 0 else float(betaincinv(hits, units - hits + 1, tail))
        high = 1.0 if self.value >= 1 else float(betaincinv(hits + 1, units - hits, 1 - tail))
        return low, high

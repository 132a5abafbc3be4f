"""Inference over trainings that differ in their seed, each measured on the same prompts (texts, words, tensors).

The design is crossed: the statistic of training t is mean + a_t + b + c_t, where a_t is what its seed does, b what the
sample of prompts does to all trainings alike, and c_t what it does to this one alone. The spread of k statistics shows
a_t and c_t but never b, since all share the prompts. The interval of one training over prompts shows b and c_t but
never a_t. So neither of the two is enough.

The mean of k statistics errs by the mean of a_t + c_t, of which Student's t with k - 1 degrees of freedom knows, and by
b, which is at most what one training errs over prompts (that contains c_t a second time, so intervals are rather too
wide). The two are independent. Their intervals are joined by the root of the sum of the squares of their reaches
(MOVER: Zou and Donner 2008, Statistics in Medicine 27). Then coverage is at least that of the parts (Banerjee 1960,
Sankhya 22): let w and 1 - w be their shares of the variance, and U and V their squared reaches, each relative to its
variance. The chance P(Z^2 <= w U + (1 - w) V) is concave in the sum, so on average it is at least
w P(Z^2 <= U) + (1 - w) P(Z^2 <= V), a mean of the two coverages.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from lm_interpolation.statistics.inference import TAIL, Inference, widths

LEAST_TRAININGS = 3
"""Our reading: fewer trainings give no verdict. With two, Student's t is 12.7 wide, and one lucky pair decides."""


def student_over(values: np.ndarray, tail: float = TAIL) -> tuple[np.ndarray, np.ndarray]:
    """Mean and reach of Student's interval over the k >= 2 rows of ``values`` (k, n), each (n,) float64."""
    count = len(values)
    errors = values.std(axis=0, ddof=1) / math.sqrt(count)
    return values.mean(axis=0), stdtrit(count - 1, 1 - tail) * errors


class OverTrainings:
    """The mean of a statistic over trainings; see the module for its interval.

    Attributes:
        value: the mean of the values of the trainings.
    """

    def __init__(self, parts: Sequence[Inference], least: float = -math.inf, most: float = math.inf) -> None:
        """``parts`` are the k >= 2 trainings, each with its inference over prompts; limits lie in [least, most]."""
        self._parts, self._least, self._most = parts, least, most
        self._values = np.array([[part.value] for part in parts], dtype=np.float64)
        self.value = float(self._values.mean())
        self.finest = max(part.finest for part in parts)

    def limits(self, tail: float, more: float = 1.0) -> tuple[float, float]:
        """See ``inference.Inference``; ``more`` trainings on the same prompts."""
        reach = float(student_over(self._values, tail)[1][0]) * widths(len(self._parts), more)
        limits = np.array([part.limits(tail) for part in self._parts])
        # At tails near 1/2 a limit of a largest value may lie on the other side of it.
        below, above = np.maximum(self._values - limits[:, :1], 0), np.maximum(limits[:, 1:] - self._values, 0)
        low, high = self.value - math.hypot(reach, below.mean()), self.value + math.hypot(reach, above.mean())
        # Infinite limits say that there is no interval.
        return (low, high) if math.isinf(low) else (max(low, self._least), min(high, self._most))

"""The uniform mean of models: exact, where the coefficients of a point are decimals."""

from collections.abc import Iterable
from fractions import Fraction

from lm_interpolation.points.algebra import Point


class Mean(Point):
    """The point (1/N) sum_m theta_m of N models, for merging and for moving in memory.

    Its coefficients are fractions, which decimals cannot be (1/6), so it has no id that can be parsed.
    """

    @classmethod
    def of_models(cls, models: Iterable[str]) -> "Mean":
        """The mean of ``models``, whatever their order. Raises ``ValueError`` if there are none or one occurs twice."""
        names = sorted(models)
        if not names or len(set(names)) < len(names):
            raise ValueError(f"a mean of {names}")
        return cls(tuple((name, Fraction(1, len(names))) for name in names))  # type: ignore[misc]

    @property
    def id(self) -> str:
        return f"mean of {', '.join(self.models)}"

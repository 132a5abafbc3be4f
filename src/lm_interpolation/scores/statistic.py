"""A scorer's statistic as data: kinds of scorers declare theirs; tables, claims and figures compute all alike.

So a new kind of scorer changes no code that reads scores. This module imports nothing heavy because planning uses it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Statistic:
    """How a statistic is computed from the rows of score files.

    The value of a row is the weighted sum of ``columns``, divided by the column ``per`` if there is one. A row has no
    value where one of its columns is null or ``per`` is 0. The statistic at a point is

    - the mean of these values over rows, or of their exponentials with ``exponentiate``;
    - with ``pooled`` the sum of the weighted sums over the sum of ``per``, or its exponential with ``exponentiate``.

    Examples: ``Statistic("score", {"p_positive": 1, "p_neutral": 0.5})`` is a mean;
    ``Statistic("corpus", {"nll": 1}, per="tokens", pooled=True, exponentiate=True)`` is a corpus perplexity.
    """

    name: str
    """Name in tables."""
    columns: Mapping[str, float] = field(default_factory=dict)
    """Column of the score files to its weight."""
    per: str | None = None
    """Column that divides the weighted sum."""
    pooled: bool = False
    """Divide sums over all rows instead of averaging the quotients of rows."""
    exponentiate: bool = False
    """Take the exponential: of each value, or of the pooled quotient."""
    texts: str | None = None
    """Column with the number of texts that a row stands for; without it, one."""
    least: float | None = None
    """The statistic cannot be smaller: intervals end there."""
    most: float | None = None
    """The statistic cannot be larger: intervals end there."""
    shares: str | None = None
    """All columns that begin so are probabilities. Their weights decide how small and large the statistic can be."""
    each: str | None = None
    """Instead of ``columns``: this stands for the mean of each column that begins so, under the column's name."""

    def settings(self) -> dict[str, Any]:
        """The statistic as JSON for the settings of jobs, without fields that have their default.

        So a field added later reruns nothing. ``Statistic(**settings)`` restores the statistic.
        """
        default = Statistic(self.name)
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {
            key: dict(value) if key == "columns" else value
            for key, value in values.items()
            if key == "name" or value != getattr(default, key)
        }


def statistics_from(settings: Any) -> list[Statistic]:
    """The statistics restored from a list of ``Statistic.settings``."""
    return [Statistic(**entry) for entry in settings]

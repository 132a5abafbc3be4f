"""Losses for claims: the mean over classes and over several analyses, and the values at chosen points."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lm_interpolation.analyses.loss_files import loss_matrix
from lm_interpolation.claims.curves import loss_curve
from lm_interpolation.claims.data import ClaimData, NotTested
from lm_interpolation.jobs.runtime import UserError, error_prefix
from lm_interpolation.points.algebra import Point
from lm_interpolation.statistics.inference import Estimate, ratios
from lm_interpolation.statistics.shares import mean_of


class MeanLosses(NamedTuple):
    """Mean loss at points with ``coordinates`` (k, c), called ``names``."""

    names: list[str]
    coordinates: np.ndarray
    estimate: Estimate

    def place(self, at: Mapping[str, float]) -> int:
        """Index of the point with these coordinates. Raises ``UserError`` if there is none."""
        return place_of(self.names, self.coordinates, at)

    def describe(self, index: int) -> str:
        """``gamma = 1, density = 0.2``."""
        return ", ".join(f"{name} = {value:g}" for name, value in zip(self.names, self.coordinates[index], strict=True))


def mean_losses(data: ClaimData, analyses: Sequence[str], statistic: str, class_name: str | None = None) -> MeanLosses:
    """The mean of the losses of ``analyses``, all along one sweep; each class of each analysis weighs the same.

    With ``class_name``, only that class counts. Raises ``UserError`` if analyses do not have the same points.
    """
    parts, first = [], None
    for name in analyses:
        table = data.tables[name]
        columns = list(table.columns)
        names = columns[columns.index("sweep") + 1 : columns.index("point")]
        for one in [class_name] if class_name is not None else list(dict.fromkeys(table["class"])):
            curve = loss_curve(data, {"analysis": name, "class": one}, statistic)
            if first is None:
                first = names, curve.coordinates
            elif first[0] != names or not np.array_equal(first[1], curve.coordinates):
                raise UserError(
                    f"analyses {analyses[0]} and {name} do not have the same points; take those of one sweep"
                )
            parts.append(curve.estimate)
    assert first is not None
    return MeanLosses(first[0], first[1], mean_of(parts))


def model_losses(
    data: ClaimData, analysis: str, models: Sequence[str], statistic: str, class_name: str | None = None
) -> Estimate:
    """The losses of ``models`` by themselves; each class weighs the same. With ``class_name``, only that one counts.

    Raises ``UserError`` if the analysis lacks a loss of one of them.
    """
    points = [Point.of({model: 1}).id for model in models]
    parts = []
    for one in [class_name] if class_name is not None else list(dict.fromkeys(data.tables[analysis]["class"])):
        with error_prefix(f"losses of {analysis}"):
            nll, tokens = loss_matrix(data.losses[analysis], points, one)
        if len(nll) < 2:
            raise NotTested(f"an interval needs 2 texts that count; {analysis} has {len(nll)}")
        parts.append(ratios(nll, tokens if statistic == "nll_token" else np.ones_like(nll)))
    return mean_of(parts)


def place_of(names: Sequence[str], coordinates: np.ndarray, at: Mapping[str, float]) -> int:
    """Index of the row of ``coordinates`` (k, c), called ``names``, that is ``at``. Raises ``UserError`` for none."""
    wanted = np.array([float(at[name]) for name in names])
    found = np.flatnonzero(np.isclose(coordinates, wanted, rtol=0, atol=1e-9).all(axis=1))
    if not len(found):
        raise UserError(f"there is no point at {dict(at)}; name one of the sweep's")
    return int(found[0])

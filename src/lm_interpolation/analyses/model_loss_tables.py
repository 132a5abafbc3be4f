"""The losses of named models as a tidy table: means per class of texts, with intervals."""

from collections.abc import Sequence

import pandas as pd

from lm_interpolation.analyses.loss_tables import loss_table
from lm_interpolation.points.algebra import Point, Sweep, SweepPoint

MODEL_LOSS_COLUMNS = ("model", "class", "statistic", "estimate", "low", "high", "n_texts", "n_tokens")


def model_loss_table(losses: pd.DataFrame, models: Sequence[str], resamples: int, seed: int) -> pd.DataFrame:
    """The columns ``MODEL_LOSS_COLUMNS`` for each of ``models``, in this order, then by class.

    Values and intervals are those of ``loss_table``, whose points are the models; all models share the resamples of the
    texts. Raises ``UserError`` if a model lacks a loss.
    """
    points = {Point.of({model: 1}).id: model for model in models}
    entries = tuple(SweepPoint((), Point.parse(point)) for point in points)
    table = loss_table(losses, Sweep("models", "weights", (), (), entries), resamples, seed)
    return table.assign(model=table["point"].map(points))[list(MODEL_LOSS_COLUMNS)]

"""The losses over a sweep as a tidy table: means per class of texts, with intervals, at every point."""

from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.analyses.loss_files import loss_matrix
from lm_interpolation.points.algebra import Sweep
from lm_interpolation.statistics.inference import bootstrap_ratio

STATISTICS = ("nll_text", "nll_token")


def loss_table(losses: pd.DataFrame, sweep: Sweep, resamples: int, seed: int) -> pd.DataFrame:
    """The tidy table of the losses over a sweep, with 95 % bootstrap intervals over the texts of each class.

    Columns: ``sweep``, one float64 column per coordinate, ``point, class, statistic, estimate, low, high, n_texts,
    n_tokens``. Statistics: ``nll_text``, the mean over texts of their NLL (nats per text), and ``nll_token``, the sum
    of the NLL over the sum of predicted tokens (nats per token). Sorted as the sweep, then by class in order of
    appearance. All points share the resamples. ``tables.write_table`` writes the table.

    Raises ``UserError`` if a point of the sweep lacks a loss.
    """
    points = list(dict.fromkeys(entry.point.id for entry in sweep.points))
    by_point: dict[str, list[dict[str, Any]]] = {point: [] for point in points}
    for class_name in losses["class"].unique():
        nll, tokens = loss_matrix(losses, points, class_name)
        denominators = np.hstack([np.ones_like(tokens), tokens])
        estimate, low, high = bootstrap_ratio(np.hstack([nll, nll]), denominators, resamples, seed)
        # With few texts an interval may reach below the smallest possible loss.
        low = np.maximum(low, 0)
        for index, point in enumerate(points):
            for offset, statistic in enumerate(STATISTICS):
                column = offset * len(points) + index
                by_point[point].append(
                    {
                        "class": class_name,
                        "statistic": statistic,
                        "estimate": estimate[column],
                        "low": low[column],
                        "high": high[column],
                        "n_texts": len(nll),
                        "n_tokens": int(tokens[:, index].sum()),
                    }
                )
    return pd.DataFrame(
        [
            {"sweep": sweep.name}
            | {name: float(value) for name, value in entry.coordinates}
            | {"point": entry.point.id}
            | row
            for entry in sweep.points
            for row in by_point[entry.point.id]
        ]
    )

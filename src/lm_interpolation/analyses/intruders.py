"""Intruder dimensions of fine-tuned models: leading singular vectors that are like none of the base.

Source: Shuttleworth et al. 2024 (arXiv 2410.21228), who find them in models that were trained with LoRA and not after
full fine-tuning. ``points.methods.singular`` has the definition and our readings of it. Intervals are ours: of the mean
over matrices, as if these were drawn from many.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from lm_interpolation.analyses.intruder_tables import MATRIX_COLUMNS, RANK_COLUMNS, THRESHOLD_COLUMNS
from lm_interpolation.jobs.runtime import Progress, UserError
from lm_interpolation.models.tensor_names import block_number, tensor_kind
from lm_interpolation.points.displacements import displacements
from lm_interpolation.points.methods.singular import Leading, is_compared, leading
from lm_interpolation.points.methods.spaces import Place
from lm_interpolation.statistics.inference import bootstrap_ratio

THRESHOLDS = tuple(step / 20 for step in range(1, 20))
"""Cosines at which intruders are counted, besides the one that is asked for."""


class IntruderTables(NamedTuple):
    """The three tables of ``intruder_tables``."""

    matrices: pd.DataFrame
    ranks: pd.DataFrame
    thresholds: pd.DataFrame


def intruder_tables(
    models: Mapping[str, str | Path],
    base: str,
    k: int,
    epsilon: float,
    resamples: int,
    seed: int,
) -> IntruderTables:
    """Intruders in each matrix of attention and MLP of ``models`` (name -> directory) against the one called ``base``.

    ``k`` is the number of leading singular vectors of a matrix that may be intruders; they are, if their largest |cos|
    to a left singular vector of the base is below ``epsilon``. ``resamples`` and ``seed`` are those of the intervals.

    - ``matrices`` (``MATRIX_COLUMNS``), models in their order, tensors by name: ``kind`` (attention or mlp), ``layer``
      (block), ``outputs`` and ``inputs`` (shape), ``moved`` (|W - W0| / |W0|, Frobenius, float64), ``vectors`` (how
      many were looked at: k, or the rank if that is lower), ``intruders`` (int64).
    - ``ranks`` (``RANK_COLUMNS``): for each of these vectors its ``rank`` (from 1, by descending singular value), the
      singular ``value``, and ``cosine``, that largest |cos|.
    - ``thresholds`` (``THRESHOLD_COLUMNS``): mean number of ``intruders`` per matrix at each ``epsilon``, ascending,
      with a 95 % interval over matrices (``low``, ``high``), the ``share`` of ``matrices`` with one or more, and their
      number.

    Raises what ``displacements`` raises, and ``UserError`` if the models have no such matrix.
    """
    names = [model for model in models if model != base]
    with displacements(models, base) as space:
        places = [place for place in space.places.values() if is_compared(place)]
        if not places:
            raise UserError(
                f"models {', '.join(names)}: no tensor is a matrix of attention or MLP in a numbered block (h.0, "
                "layers.0), so there is nothing to compare; choose other models"
            )
        progress = Progress(f"intruders against {base}", len(places), "matrices")
        found = []
        for done, place in enumerate(places, 1):
            found.append((place, leading(space, place, k, names)))
            progress.update(done)
    matrices, ranks = [], []
    for model in names:
        for place, one in found:
            matrices.append(_matrix(model, place, one[model], epsilon))
            ranks += list(_ranks(model, place, one[model]))
    thresholds = []
    for model in names:
        cosines = [one[model].cosines for _, one in found]
        thresholds += _thresholds(model, cosines, k, epsilon, resamples, seed)
    return IntruderTables(
        pd.DataFrame(matrices, columns=MATRIX_COLUMNS),
        pd.DataFrame(ranks, columns=RANK_COLUMNS),
        pd.DataFrame(thresholds, columns=THRESHOLD_COLUMNS),
    )


def _matrix(model: str, place: Place, found: Leading, epsilon: float) -> tuple[object, ...]:
    outputs, inputs = len(found.left), found.right.shape[1]
    count = int((found.cosines < epsilon).sum())
    kind, layer = tensor_kind(place.name), block_number(place.name)
    return model, place.name, kind, layer, outputs, inputs, found.moved, len(found.cosines), count


def _ranks(model: str, place: Place, found: Leading) -> Iterator[tuple[object, ...]]:
    for rank, (value, cosine) in enumerate(zip(found.values.tolist(), found.cosines.tolist(), strict=True), 1):
        yield model, place.name, rank, value, cosine


def _thresholds(
    model: str, cosines: list[np.ndarray], k: int, epsilon: float, resamples: int, seed: int
) -> list[tuple[object, ...]]:
    values = sorted({*THRESHOLDS, epsilon})
    counts = np.array([[float((one < value).sum()) for value in values] for one in cosines])
    estimates, low, high = bootstrap_ratio(counts, np.ones_like(counts), resamples, seed)
    low, high = np.maximum(low, 0), np.minimum(high, k)
    shares = (counts > 0).mean(axis=0)
    columns = zip(values, estimates.tolist(), low.tolist(), high.tolist(), shares.tolist(), strict=True)
    return [(model, *row, len(cosines)) for row in columns]

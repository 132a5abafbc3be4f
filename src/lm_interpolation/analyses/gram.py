"""Inner products and cosines of the displacements of models, tensor by tensor and over whole models.

One float64 pass over the weights (``points.methods.gram``). The cosine of two fine-tunings from one base says how far
they can interfere (Ilharco et al. 2022, arXiv 2212.04089, section 6); SLERP, the Karcher mean and model stock rest on
the same numbers.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from lm_interpolation.jobs.runtime import Progress
from lm_interpolation.models.tensor_names import block_number, tensor_kind
from lm_interpolation.points.displacements import displacements
from lm_interpolation.points.methods.gram import gram

WHOLE = "all"
"""Kind of the rows about the whole model."""

GRAM_COLUMNS = ["tensor", "kind", "layer", "elements", "model", "other", "product", "cosine"]
GRAM_VALUES = ["product", "cosine"]
"""The columns that ``tables.write_table`` rounds."""


def gram_table(models: Mapping[str, str | Path], base: str | None, progress: Progress | None = None) -> pd.DataFrame:
    """Inner products <v_m, v_k> of the displacements of ``models`` (name -> directory) from the one called ``base``.

    ``base`` None stands for weights of 0. Columns (``GRAM_COLUMNS``), a row for each pair of models, each with itself
    too, in the order of their names, first over the whole model (``tensor`` empty, ``kind`` all), then tensor by tensor
    by name:

    - ``tensor``, ``kind`` (embedding, attention, mlp, norm, head or other), ``layer`` (block number, Int64, missing
      outside blocks), ``elements`` (int64);
    - ``model``, ``other``: names; ``product`` (float64) and ``cosine`` (float64, missing if one does not move there).

    Tied tensors count once. Raises what ``displacements`` raises.
    """
    with displacements(models, base) as space:
        names = list(space.weights)
        matrices = {}
        for done, (name, place) in enumerate(space.places.items(), 1):
            matrices[name] = gram(space, place)
            if progress:
                progress.update(done)
        sizes = {name: place.size for name, place in space.places.items()}
    rows = list(_rows("", WHOLE, None, sum(sizes.values()), names, np.sum(list(matrices.values()), axis=0)))
    for name, matrix in matrices.items():
        rows += _rows(name, tensor_kind(name), block_number(name), sizes[name], names, matrix)
    return pd.DataFrame(rows, columns=GRAM_COLUMNS).astype({"layer": "Int64"})


def _rows(
    tensor: str, kind: str, layer: int | None, elements: int, names: list[str], matrix: npt.NDArray[np.float64]
) -> Iterator[tuple[object, ...]]:
    for row, model in enumerate(names):
        for column, other in enumerate(names[row:], row):
            product = float(matrix[row, column])
            length = math.sqrt(matrix[row, row]) * math.sqrt(matrix[column, column])
            # Rounding may leave 1 + 1e-16.
            cosine = min(max(product / length, -1.0), 1.0) if length else math.nan
            yield tensor, kind, layer, elements, model, other, product, cosine

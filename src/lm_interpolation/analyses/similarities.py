"""How near models are to each other in weight space: cosines and distances of all pairs, in one pass over the weights.

Gueta et al. 2023 (arXiv 2302.04863) compare task vectors, the displacements from the pretrained model, by their cosine,
and report that the Euclidean distance does not show the clusters. Cosines of displacements and of weights, and
distances, all follow from one Gram matrix: that of the displacements and the base.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lm_interpolation.jobs.checksums import checked_reader
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.common_body import common_body
from lm_interpolation.points.displacements import OnDisk
from lm_interpolation.points.methods.spaces import Space
from lm_interpolation.points.writing import check_tied

Matrix = npt.NDArray[np.float64]

COSINE, WEIGHTS, DISTANCE = MEASURES = ("cosine", "weights", "distance")
"""Cosine of displacements, cosine of weights, Euclidean distance."""


@dataclass(frozen=True)
class Similarities:
    """All pairs of models by three measures.

    ``measures`` maps each of ``MEASURES`` to a symmetric matrix (n, n) in the order of ``models``: cosines of
    displacements, cosines of weights (both in [-1, 1]), and Euclidean distances; float64. ``tensors`` is the number of
    tensors that were compared, ``left_out`` has the names of the others.
    """

    models: Sequence[str]
    measures: Mapping[str, Matrix]
    tensors: int
    left_out: Sequence[str]


def similarities(models: Mapping[str, str | Path], base: str) -> Similarities:
    """Compare all ``models`` (name -> directory) but the one called ``base``, from which displacements are measured.

    Only the common body counts (``common_body``). Raises what ``common_body`` and ``displacements`` raise, and
    ``UserError`` if a model equals the base.
    """
    with contextlib.ExitStack() as stack:
        readers = {model: stack.enter_context(checked_reader(directory)) for model, directory in models.items()}
        body = common_body(models)
        for model, checkpoint in body.checkpoints.items():
            check_tied(checkpoint, readers[model])
        names = [model for model in models if model != base]
        # A space is sorted by name.
        space = OnDisk(dict.fromkeys(sorted(names), 1.0), base, body.checkpoints, readers)
        products = gram_with_base(space)
    order = [*(list(space.weights).index(name) for name in names), -1]
    return from_products(names, products[np.ix_(order, order)], len(space.places), body.left_out)


def gram_with_base(space: Space) -> Matrix:
    """Inner products of the displacements, and of the base as the last one, over all tensors: (n + 1, n + 1), float64.

    Memory is that of one chunk of each model. Sums do not depend on threads: ``einsum`` adds without BLAS, whose
    threads share the sums among them. (BLAS on one thread takes 5 ms instead of 30 for a chunk of 61 models.)
    """
    models = list(space.weights)
    total = np.zeros((len(models) + 1, len(models) + 1))
    for place in space.places.values():
        for chunk in space.chunks(place):
            assert chunk.base is not None
            rows = np.stack([*(chunk.values[model] for model in models), chunk.base])
            total += np.einsum("ik,jk->ij", rows, rows)
    return total


def from_products(models: Sequence[str], products: Matrix, tensors: int, left_out: Sequence[str]) -> Similarities:
    """The similarities of ``models`` from ``products`` (n + 1, n + 1), as ``gram_with_base`` returns them.

    Raises ``UserError`` if a displacement is 0, since it has no direction.
    """
    moved, along, size = products[:-1, :-1], products[:-1, -1], products[-1, -1]
    for model, square in zip(models, np.diag(moved), strict=True):
        if square == 0:
            raise UserError(f"model {model} equals the base, so it has no direction; take it out of the sets")
    squares = np.diag(moved)
    distances = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * moved, 0))
    np.fill_diagonal(distances, 0)
    measures = {
        COSINE: _cosines(moved),
        WEIGHTS: _cosines(moved + along[:, None] + along[None, :] + size),
        DISTANCE: distances,
    }
    return Similarities(list(models), measures, tensors, list(left_out))


def _cosines(products: Matrix) -> Matrix:
    lengths = np.sqrt(np.diag(products))
    # Rounding may leave 1 + 1e-16.
    found = np.clip(products / lengths[:, None] / lengths[None, :], -1, 1)
    np.fill_diagonal(found, 1)
    return found

"""Singular vectors of the matrices of attention and MLP, and how near those of a model are to those of its base.

Source: Shuttleworth et al. 2024, "LoRA vs Full Fine-tuning: An Illusion of Equivalence" (arXiv 2410.21228, definition
1): a left singular vector y of the fine-tuned W is an *intruder dimension* if max_i |cos(y, x_i)| < epsilon over all
left singular vectors x_i of the pretrained W0. Left is the side of the outputs, whichever way a model stores its
matrices (GPT-2's lie transposed, where PEFT 0.21's ``reduce_intruder_dimension`` compares the inputs' side).

Our readings. Matrices are the two-dimensional weights of attention and MLP in numbered blocks, as they are stored: one
that holds several (GPT-2's c_attn) counts as one; embeddings and the head are left out. Singular values below
``_ZERO`` of the largest have no vector of their own. A matrix that equals that of the base has no intruder.

Vectors are those of W W^T or W^T W, whichever is smaller, in float64: the SVD takes some three times as
long, and a copy of the matrix. Squaring costs digits of the singular values below 1e-8 of the largest alone, which
float32 weights do not hold. Of the fine-tuned matrix only the leading vectors are computed. BLAS runs on one thread, so
that results do not depend on their number.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from array_api_compat import to_device
from scipy import linalg
from threadpoolctl import threadpool_limits

from lm_interpolation.models.tensor_names import block_number, tensor_kind
from lm_interpolation.points.methods.spaces import Array, Place, Space

Matrix = npt.NDArray[np.float64]

_ZERO = 1e-7
"""About the precision of float32: a singular value that is smaller against the largest is 0 up to rounding."""


@dataclass(frozen=True)
class Leading:
    """The first singular vectors of W, shape (outputs, inputs), by descending singular value.

    ``left`` (outputs, k) has unit columns u_j, ``right`` (k, inputs) the rows u_j^T W = sigma_j v_j^T, so that W is the
    sum of their products; ``values`` (k,) are the sigma_j. ``cosines`` (k,) has the largest |cos| of each u_j to any
    left singular vector of the base. ``moved`` is |W - W0| / |W0| (Frobenius; infinite where W0 is 0). All float64.
    """

    left: Matrix
    right: Matrix
    values: Matrix
    cosines: Matrix
    moved: float


def is_compared(place: Place) -> bool:
    """Whether a tensor is one of the matrices above."""
    inside = block_number(place.name) is not None and tensor_kind(place.name) in ("attention", "mlp")
    return inside and len(place.shape) == 2 and place.size > 0


def leading(space: Space, place: Place, count: int, models: Collection[str]) -> dict[str, Leading]:
    """Each of ``models`` -> its first ``count`` singular vectors in one tensor, or as many as it has.

    Reads the tensor once. Memory: that tensor of the base and of each model, and three squares of its smaller side, in
    float64. The space has a base.
    """
    matrices, base = _whole(space, place, models)
    with _one_thread():
        values, vectors = _left_vectors(base)
        size = float(np.linalg.norm(base))
        found = {}
        for model, moved in matrices.items():
            distance = float(np.linalg.norm(moved))
            if distance == 0:
                first = vectors[:, :count]
                ones = np.ones(first.shape[1])
                found[model] = Leading(first, first.T @ base, values[:count], ones, 0.0)
                continue
            tuned = np.add(moved, base, out=moved)
            left = _leading_left(tuned, count)
            right = left.T @ tuned
            cosines = np.minimum(np.abs(vectors.T @ left).max(axis=0, initial=0.0), 1.0)
            relative = distance / size if size else np.inf
            found[model] = Leading(left, right, np.linalg.norm(right, axis=1), cosines, relative)
    return found


def _whole(space: Space, place: Place, models: Collection[str]) -> tuple[dict[str, Matrix], Matrix]:
    """The displacements of ``models`` and the base, each of shape (outputs, inputs)."""
    matrices = {model: np.empty(place.size) for model in models}
    base = np.empty(place.size)
    for chunk in space.chunks(place):
        assert chunk.base is not None
        part = slice(chunk.start, chunk.start + len(chunk.base))
        base[part] = _on_cpu(chunk.base)
        for model, matrix in matrices.items():
            matrix[part] = _on_cpu(chunk.values[model])
    shaped = {model: _outputs_first(matrix, place) for model, matrix in matrices.items()}
    return shaped, _outputs_first(base, place)


def _on_cpu(values: Array) -> Matrix:
    return np.asarray(to_device(values, "cpu"))


def _outputs_first(flat: Matrix, place: Place) -> Matrix:
    matrix = flat.reshape(place.shape)
    return matrix if place.outputs == 0 else matrix.T


@contextmanager
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1, user_api="blas"):
        yield


def _left_vectors(matrix: Matrix) -> tuple[Matrix, Matrix]:
    """All singular values of a matrix, descending, and its left singular vectors (outputs, number of values)."""
    wide = matrix.shape[0] <= matrix.shape[1]
    squares, vectors = linalg.eigh(matrix @ matrix.T if wide else matrix.T @ matrix, overwrite_a=True)
    kept = squares > _ZERO**2 * squares[-1]
    values, vectors = np.sqrt(squares[kept])[::-1], vectors[:, kept][:, ::-1]
    return values, vectors if wide else (matrix @ vectors) / values


def _leading_left(matrix: Matrix, count: int) -> Matrix:
    """The first ``count`` left singular vectors of a matrix, or as many as it has, by descending singular value."""
    wide, least = matrix.shape[0] <= matrix.shape[1], min(matrix.shape)
    product = matrix @ matrix.T if wide else matrix.T @ matrix
    squares, vectors = linalg.eigh(product, overwrite_a=True, subset_by_index=[max(least - count, 0), least - 1])
    kept = squares > _ZERO**2 * squares[-1]
    vectors = vectors[:, kept][:, ::-1]
    if wide:
        return vectors
    images = matrix @ vectors
    return images / np.linalg.norm(images, axis=0)

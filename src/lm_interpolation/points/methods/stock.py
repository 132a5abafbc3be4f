"""Combine by model stock, tensor by tensor: the mean displacement, shortened by how far models disagree.

Source: Jang et al. 2024 (arXiv 2403.19522, section 4): b + t mean_m v_m with t = N c / (1 + (N - 1) c) for N models
whose displacements have the mean pairwise cosine c. A displacement of 0 has the cosine 0 with others, and a single
model has t = 1 (our readings). t stays between 0 and 1: there, c < 0 would turn displacements round.
"""

from collections.abc import Mapping

import numpy as np

from lm_interpolation.points.methods.blending import blended
from lm_interpolation.points.methods.gram import Matrix, gram
from lm_interpolation.points.methods.spaces import Place, Space


def apply(space: Space) -> Space:
    """``space`` with its models combined, all with the same weight: only the sum of the coefficients counts.

    Raises ``UserError`` if a coefficient is negative.
    """

    def factors(place: Place, weights: Mapping[str, float]) -> dict[str, float]:
        share = 1.0 if len(weights) == 1 else ratio(gram(space, place))
        return dict.fromkeys(weights, share / len(weights))

    return blended(space, ("stock",), factors)


def ratio(products: Matrix) -> float:
    """t for vectors, two at least, with these inner products."""
    lengths = np.sqrt(np.diagonal(products))
    scales = np.outer(lengths, lengths)
    # Relative to the lengths, however small they are: displacements of fine-tuning are.
    cosines = np.divide(products, scales, out=np.zeros_like(products), where=scales > 0)
    models = len(products)
    cosine = float(np.mean(cosines[np.triu_indices(models, 1)]))
    return min(models * cosine / (1 + (models - 1) * cosine), 1.0) if cosine > 0 else 0.0

"""Combine by SCE: models weigh as much as they have moved, tensor by tensor, and opposed signs are erased.

Source: Wan et al. 2024 ("FuseChat", arXiv 2408.07990, section 3.3), the steps calculate and erase; the first, select,
is the stage ``variance``. In each tensor w_m is proportional to mean v_m^2. The sign of an element is that of sum_m v_m
(0 counts as positive), and the result is the mean, weighted by w, of the displacements with that sign.
"""

from collections.abc import Callable

import numpy as np

from lm_interpolation.points.methods.blending import scale_and_weights
from lm_interpolation.points.methods.gram import gram
from lm_interpolation.points.methods.selection import where_chosen
from lm_interpolation.points.methods.spaces import Array, Chunk, Place, Space, combined, namespace, weighted_sum


def apply(space: Space) -> Space:
    """``space`` with its models combined; of their coefficients only the sum counts.

    Raises ``UserError`` if a coefficient is negative.
    """
    scale, _ = scale_and_weights(space)

    def change(place: Place) -> Callable[[Chunk], Array]:
        # Only ratios count. Where all are 0, so is the result.
        squares = np.diagonal(gram(space, place))
        weights = dict(zip(space.weights, map(float, squares / (squares.max() or 1.0)), strict=True))

        def combine(chunk: Chunk) -> Array:
            total = weighted_sum(chunk.values, dict.fromkeys(weights, 1.0))
            xp = namespace(total)
            up = total >= 0
            agrees = {model: (values > 0) == up for model, values in chunk.values.items()}
            agrees = {model: mask & (chunk.values[model] != 0) for model, mask in agrees.items()}
            kept = {model: where_chosen(mask, chunk.values[model]) for model, mask in agrees.items()}
            share = weighted_sum({model: xp.astype(mask, total.dtype) for model, mask in agrees.items()}, weights)
            return scale * weighted_sum(kept, weights) / xp.where(share > 0, share, 1.0)

        return combine

    return combined(space, ("sce", *space.weights.items()), change)

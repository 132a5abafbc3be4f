"""Combine by the mean of those that take part: the sum, times sum |c| over that of the models that are not 0 there.

Source: the disjoint mean of TIES (Yadav et al. 2023, arXiv 2306.01708, section 4). The paper's lambda over N models is
the coefficient lambda / N of each.
"""

from collections.abc import Callable

from lm_interpolation.points.methods.spaces import Array, Chunk, Place, Space, combined, namespace, weighted_sum


def apply(space: Space) -> Space:
    """``space`` with its models combined."""
    sizes = {model: abs(weight) for model, weight in space.weights.items()}
    whole, least = sum(sizes.values()), min(sizes.values()) / 2

    def mean(chunk: Chunk) -> Array:
        total = weighted_sum(chunk.values, space.weights)
        xp = namespace(total)
        there = {model: xp.astype(values != 0, total.dtype) for model, values in chunk.values.items()}
        share = weighted_sum(there, sizes)
        # Where all take part, the factor is exactly 1. Where none does, the sum is 0, and any factor will do.
        return total * (whole / xp.clip(share, least, None))

    def change(place: Place) -> Callable[[Chunk], Array]:
        return mean

    return combined(space, ("mean", *space.weights.items()), change)

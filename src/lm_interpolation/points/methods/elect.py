"""Elect signs: displacements against the sign of the weighted sum of an element are set to 0.

Source: TIES (Yadav et al. 2023, arXiv 2306.01708, section 4). A sum of 0 counts as positive, as in mergekit and PEFT.
"""

from lm_interpolation.points.methods.selection import where_chosen
from lm_interpolation.points.methods.spaces import Array, Change, Changed, Chunk, Place, Space, weighted_sum


def apply(space: Space) -> Space:
    """``space`` with only the displacements left whose product with their coefficient has the elected sign."""
    weights = space.weights

    def elect(chunk: Chunk) -> dict[str, Array]:
        total = weighted_sum(chunk.values, weights)
        up = total >= 0
        # Where the coefficient is negative, so is the sign of the product.
        return {
            model: where_chosen((values > 0) == (up if weights[model] > 0 else ~up), values)
            for model, values in chunk.values.items()
        }

    def change(place: Place) -> Change:
        return elect

    return Changed(space, ("elect", *weights.items()), change)

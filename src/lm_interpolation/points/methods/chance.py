"""Keep displacements by chance, each with the probability ``density``: DARE.

Source: Yu et al. 2023 (arXiv 2311.03099), which divides what is kept by the density, so that the expectation is the
displacement itself.
"""

from lm_interpolation.points.methods.random_bits import random_words, threshold
from lm_interpolation.points.methods.selection import where_chosen
from lm_interpolation.points.methods.spaces import Array, Change, Changed, Chunk, Place, Space


def apply(space: Space, density: float, rescale: str, seed: int) -> Space:
    """``space`` with each displacement kept with the probability ``density`` (0 to 1), or set to 0.

    ``rescale`` is ``inverse`` (divide by the density) or ``none``. Draws differ between models, and a larger density
    keeps what a smaller one keeps.
    """
    factor = 1 / density if rescale == "inverse" and density > 0 else 1.0
    limit = threshold(density)

    def change(place: Place) -> Change:
        def keep(chunk: Chunk) -> dict[str, Array]:
            return {
                model: where_chosen(
                    random_words(seed, model, place.name, chunk.start, len(values)) < limit, values * factor
                )
                for model, values in chunk.values.items()
            }

        return keep

    return Changed(space, ("chance", density, rescale, seed), change)

"""Keep the largest displacements: exactly floor(density n) of each model, over the whole model or in each tensor.

Source: the trimming of TIES (Yadav et al. 2023, arXiv 2306.01708, section 4: the largest 20 % of the whole model);
mergekit trims in each tensor. With a base of zeros it is essential sparsity (Jaiswal et al. 2023, arXiv 2306.03805):
the magnitude mask of the weights themselves.
"""

from collections.abc import Mapping

from lm_interpolation.points.methods.selection import (
    Counts,
    Cut,
    above,
    find_cuts,
    kept_count,
    sizes,
    sizes_in,
    where_chosen,
)
from lm_interpolation.points.methods.spaces import Array, Change, Changed, Chunk, Place, Space


def apply(space: Space, density: float, over: str) -> Space:
    """``space`` with all but the largest displacements of each model set to 0.

    ``density`` is the share to keep, 0 to 1; ``over`` is ``model`` or ``tensor``. For ties see ``selection``.
    """

    def change(place: Place) -> Change:
        cuts = _cuts(space, density, None if over == "model" else place)
        masks = {model: above(cut, place.name) for model, cut in cuts.items()}

        def keep(chunk: Chunk) -> dict[str, Array]:
            return {model: where_chosen(masks[model](sizes(values)), values) for model, values in chunk.values.items()}

        return keep

    return Changed(space, ("magnitude", density, over), change)


def _cuts(space: Space, density: float, place: Place | None) -> Mapping[str, Cut]:
    """Cut of each model, in one tensor or (None) in all."""
    models = tuple(space.weights)
    places = list(space.places.values()) if place is None else [place]
    elements = sum(place.size for place in places)
    # All densities share the first histogram. It is too large to keep one of each tensor.
    known: dict[str, Counts] = {} if place else space.remember("upper counts", dict)

    def compute() -> dict[str, Cut]:
        found = find_cuts(sizes_in(space, places), elements, [kept_count(density, elements)], models, known)
        return {model: cut for model, (cut,) in found.items()}

    return space.remember(("cuts", place and place.name, density, models), compute)

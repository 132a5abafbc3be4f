"""Keep a band of each tensor's displacements: drop the very largest, and the smallest: Model Breadcrumbs.

Source: Davari and Belilovsky 2023 (arXiv 2312.06795, section 3), in the parameters of mergekit: of n elements the
floor(drop_top n) largest are dropped, the next floor(density n) are kept, the rest is dropped. Mergekit's default is
drop_top = 0.01. Counts are exact on decimals (mergekit's follow from binary fractions), and ties count as in
``selection``.
"""

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.selection import above, find_cuts, kept_count, sizes, sizes_in, where_chosen
from lm_interpolation.points.methods.spaces import Array, Change, Changed, Chunk, Place, Space


def apply(space: Space, density: float, drop_top: float) -> Space:
    """``space`` with the displacements of each model and tensor set to 0, save those that come after the largest.

    ``density`` is the share to keep and ``drop_top`` that of the largest to drop. Without the latter it is
    ``magnitude`` over tensors. Raises ``UserError`` if they sum to more than 1.
    """
    # floor(a n) + floor(b n) <= n for all n, exactly if a + b <= 1.
    if kept_count(density, 10**9) + kept_count(drop_top, 10**9) > 10**9:
        raise UserError(f"density {density} and drop_top {drop_top} sum to more than 1; lower one of them")
    models = tuple(space.weights)

    def change(place: Place) -> Change:
        top = kept_count(drop_top, place.size)
        counts = [top, top + kept_count(density, place.size)]
        cuts = space.remember(
            ("band", place.name, *counts, models),
            lambda: find_cuts(sizes_in(space, [place]), place.size, counts, models),
        )
        masks = {model: [above(cut, place.name) for cut in cuts[model]] for model in models}

        def keep(chunk: Chunk) -> dict[str, Array]:
            kept = {}
            for model, values in chunk.values.items():
                own = sizes(values)
                dropped, reached = (mask(own) for mask in masks[model])
                kept[model] = where_chosen(reached & ~dropped, values)
            return kept

        return keep

    return Changed(space, ("band", density, drop_top), change)

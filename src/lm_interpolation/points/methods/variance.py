"""Keep the positions at which models differ most: the selection of SCE.

Source: SCE (Wan et al. 2024, "FuseChat", arXiv 2408.07990, section 3.3): the elements with the largest variance across
models are kept, in all models. We keep floor(density n) positions of each tensor, as ``magnitude`` does; mergekit
counts only positions whose variance is not 0. By default (1) all are kept. A single model does not vary, and stays (our
reading).
"""

from collections.abc import Iterator

from lm_interpolation.points.methods.selection import above, find_cuts, held, kept_count, sizes, where_chosen
from lm_interpolation.points.methods.spaces import Array, Change, Changed, Chunk, Place, Space, namespace

_ALL = ""


def apply(space: Space, density: float) -> Space:
    """``space`` with displacements set to 0 in all models, save where their variance across models is largest.

    ``density`` is the share of positions to keep in each tensor, 0 to 1. Variances are unweighted.
    """
    models = tuple(space.weights)
    if len(models) == 1:
        return space

    def change(place: Place) -> Change:
        count = kept_count(density, place.size)

        def parts() -> Iterator[tuple[str, dict[str, Array]]]:
            return ((place.name, {_ALL: sizes(_deviation(chunk))}) for chunk in space.chunks(place))

        cuts = space.remember(
            ("variance", place.name, count, models),
            lambda: find_cuts(held(parts, place.size), place.size, [count], [_ALL]),
        )
        mask = above(cuts[_ALL][0], place.name)

        def keep(chunk: Chunk) -> dict[str, Array]:
            kept = mask(sizes(_deviation(chunk)))
            return {model: where_chosen(kept, values) for model, values in chunk.values.items()}

        return keep

    return Changed(space, ("variance", density, models), change)


def _deviation(chunk: Chunk) -> Array:
    """The standard deviation across models: it orders as the variance does, and its square may underflow float32."""
    values = list(chunk.values.values())
    mean = sum(values[1:], values[0]) / len(values)
    squares = [(value - mean) ** 2 for value in values]
    return namespace(mean).sqrt(sum(squares[1:], squares[0]) / len(values))

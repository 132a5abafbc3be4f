"""Scale the merged displacement block by block: LiNeS.

Source: Wang et al. 2024 (arXiv 2410.17146): blocks l = 0 ... L - 1 are scaled linearly in l, so that early ones, which
are general, stay near the base. For a single task the last block has 1, the first a smaller alpha. For several tasks
the factor is alpha + beta l / (L - 1) with alpha = |sum_m v_m| / (N |v|), in L1 norms over the whole model, where v_m
are the N displacements before any stage and v is what is made of them. Tensors outside blocks have alpha. For v = sum_m
v_m alpha is 1 / N; trimming raises it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.tensor_names import block_number
from lm_interpolation.points.methods.spaces import Array, Chunk, Place, Space, combined, namespace, weighted_sum


def apply(
    space: Space, layers: Sequence[float] | None = None, other: float | None = None, balanced: float | None = None
) -> Space:
    """``space`` with its models summed, and the sum scaled.

    Either ``layers`` holds the factors of the first and of the last block, between which it is linear, and ``other``
    that of tensors outside blocks; or ``balanced`` is beta (see above), and nothing else is given. Raises ``UserError``
    for models with less than two blocks.
    """
    if (layers is None, other is None, balanced is None) not in ((False, False, True), (True, True, False)):
        raise ValueError("rescale takes either layers and other, or balanced")
    blocks = {name: block_number(name) for name in space.places}
    last = max((block for block in blocks.values() if block is not None), default=0)
    if last == 0:
        raise UserError("rescale goes from the first block to the last, but these models have no two; leave it out")

    def ends() -> tuple[float, float, float]:
        """Factors of the first block, of the last one, and of other tensors."""
        if layers is not None and other is not None:
            first, final = layers
            return first, final, other
        assert balanced is not None
        models = tuple(space.origin.weights)
        alpha = space.remember(("balance", models, *space.weights.items()), lambda: _balance(space))
        return alpha, alpha + balanced, alpha

    def change(place: Place) -> Callable[[Chunk], Array]:
        first, final, outside = ends()
        block = blocks[place.name]
        factor = outside if block is None else first + (final - first) * block / last
        return lambda chunk: weighted_sum(chunk.values, space.weights) * factor

    settings = (None if layers is None else tuple(layers), other, balanced)
    return combined(space, ("rescale", *settings, *space.weights.items()), change)


def _balance(space: Space) -> float:
    """The multi-task alpha; 0 if nothing is left of the displacements."""
    origin = space.origin
    merged = _l1_norm(space, space.weights)
    return _l1_norm(origin, dict.fromkeys(origin.weights, 1.0)) / (len(origin.weights) * merged) if merged else 0.0


def _l1_norm(space: Space, weights: Mapping[str, float]) -> float:
    """The L1 norm of the weighted sum of displacements over the whole model."""
    return sum(_absolute_sums(space, weights), 0.0)


def _absolute_sums(space: Space, weights: Mapping[str, float]) -> Iterable[float]:
    for place in space.places.values():
        for chunk in space.chunks(place):
            total = weighted_sum(chunk.values, weights)
            xp = namespace(total)
            yield float(xp.sum(xp.abs(total)))

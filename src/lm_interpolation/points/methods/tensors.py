"""Keep a share of the modules of each kind in each block, and reset the others: half fine-tuning.

Source: Hui et al. 2024 ("HFT", arXiv 2404.18466, section 3): in each block half of the matrices of each category
(attention, feed-forward, norms) are chosen at random. Our readings: the bias of a matrix goes with it; what lies
outside blocks is a group per kind (embeddings, final norm, head); of a group of k, share * k are kept, rounded up or
down at random. The choice is the same for all models, and a larger share keeps what a smaller one keeps.
"""

import math
from collections.abc import Mapping, Sequence

from lm_interpolation.models.tensor_names import block_number, tensor_kind
from lm_interpolation.points.methods.random_bits import WORDS, random_words
from lm_interpolation.points.methods.spaces import Array, Change, Changed, Chunk, Place, Space, namespace

_ANY_MODEL = ""


def apply(space: Space, share: float, seed: int, inverse: bool = False) -> Space:
    """``space`` with the displacements of the modules that are not chosen set to 0, or, ``inverse``, of those that are.

    ``share``, 0 to 1, is that of the modules to choose in each group.
    """
    kept = chosen_tensors(list(space.places), share, seed)

    def change(place: Place) -> Change:
        if (place.name in kept) != inverse:
            return lambda chunk: chunk.values
        return _reset

    return Changed(space, ("tensors", share, seed, inverse), change)


def chosen_tensors(names: Sequence[str], share: float, seed: int) -> frozenset[str]:
    """The tensors that are chosen among ``names``."""
    groups: dict[tuple[int, str], dict[str, list[str]]] = {}
    for name in names:
        block = block_number(name)
        group = groups.setdefault((-1 if block is None else block, tensor_kind(name)), {})
        group.setdefault(name.rpartition(".")[0], []).append(name)
    chosen = []
    for (block, kind), modules in groups.items():
        order = sorted(modules, key=lambda module: (_uniform(seed, module), module))
        count = math.floor(share * len(modules) + _uniform(seed, f"{block} {kind}"))
        chosen += [name for module in order[:count] for name in modules[module]]
    return frozenset(chosen)


def _uniform(seed: int, what: str) -> float:
    """A random number from 0 to 1, without 1."""
    return int(random_words(seed, _ANY_MODEL, what, 0, 1)[0]) / WORDS


def _reset(chunk: Chunk) -> Mapping[str, Array]:
    return {model: namespace(values).zeros_like(values) for model, values in chunk.values.items()}

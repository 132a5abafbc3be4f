"""Keep the largest displacements: exactly floor(density n) of each model, over the whole model or in each tensor.

Source: the trimming of TIES (Yadav et al. 2023, arXiv 2306.01708, section 4), over the whole model there and per tensor
in mergekit. With a base of zeros it is essential sparsity: the magnitude mask of the weights themselves.

Sizes are compared in float32. Among equal ones the first count, by name of the tensor, then by index. So exactly the
number asked for is kept, and a larger density keeps what a smaller one keeps.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace

from lm_interpolation.points.methods.spaces import Array, Change, Changed, Chunk, Place, Space

_HALF = 1 << 16


class Cut(NamedTuple):
    """Where the kept ones end: all sizes above ``bits``, and of those equal to it the first ``ties`` of each tensor.

    ``bits`` are those of a non-negative float32, which order as the numbers do.
    """

    bits: int
    ties: dict[str, int]


def apply(space: Space, density: float, over: str) -> Space:
    """``space`` with all but the largest displacements of each model set to 0.

    ``density`` is the share to keep, 0 to 1; ``over`` is ``model`` or ``tensor``.
    """

    def change(place: Place) -> Change:
        cuts = {model: _cut(space, model, density, over, place) for model in space.weights}
        left = {model: cut.ties.get(place.name, 0) for model, cut in cuts.items()}

        def keep(chunk: Chunk) -> dict[str, Array]:
            kept = {}
            for model, values in chunk.values.items():
                mask, used = _mask(values, cuts[model].bits, left[model])
                left[model] -= used
                xp = array_namespace(values)
                kept[model] = xp.where(mask, values, xp.zeros_like(values))
            return kept

        return keep

    return Changed(space, ("magnitude", density, over), change)


def sizes(values: Array) -> Array:
    """|values| rounded to float32, as integers (int32) that order in the same way."""
    xp = array_namespace(values)
    return xp.astype(xp.abs(values), xp.float32).view(xp.int32)


def kept_count(density: float, elements: int) -> int:
    """floor(density n). Densities are decimals of few digits, taken exactly: 0.29 of 100 elements are 29."""
    return int(Fraction(str(density)) * elements)


def largest(parts: Iterable[tuple[str, Array]], again: Iterable[tuple[str, Array]], count: int) -> Cut:
    """The cut that keeps ``count`` of the sizes in ``parts``; ``again`` yields the same parts.

    Parts are (tensor, sizes), the chunks of tensors in order of their names. Two histograms, of the upper and of the
    lower 16 bits, find the size of the last one exactly.
    """
    upper = np.zeros(_HALF, np.int64)
    for _, bits in parts:
        upper += _histogram(bits >> 16)
    high, more = _from_top(upper, count)
    lower = np.zeros(_HALF, np.int64)
    equal: dict[str, list[Array]] = {}
    for tensor, bits in again:
        inside = bits[(bits >> 16) == high] & (_HALF - 1)
        lower += _histogram(inside)
        equal.setdefault(tensor, []).append(inside)
    low, more = _from_top(lower, more)
    ties = {}
    for tensor, found in equal.items():
        here = sum(int((inside == low).sum()) for inside in found)
        ties[tensor] = min(here, more)
        more -= ties[tensor]
    return Cut((high << 16) | low, ties)


def _from_top(histogram: np.ndarray[Any, np.dtype[np.int64]], count: int) -> tuple[int, int]:
    """The bin in which the ``count``-th from the top lies, and how many of that bin are among them."""
    above = np.cumsum(histogram[::-1])
    place = int(np.searchsorted(above, count))
    return len(histogram) - 1 - place, count - int(above[place - 1] if place else 0)


def _histogram(values: Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    counts = array_namespace(values).bincount(values, minlength=_HALF)
    return np.asarray(counts.cpu() if hasattr(counts, "cpu") else counts)


def _cut(space: Space, model: str, density: float, over: str, place: Place) -> Cut:
    if over == "tensor":
        return _cut_of(space, model, density, [place])
    return space.remember(("magnitude", model, density), lambda: _cut_of(space, model, density, space.places.values()))


def _cut_of(space: Space, model: str, density: float, places: Iterable[Place]) -> Cut:
    places = list(places)
    count = kept_count(density, sum(place.size for place in places))
    if count == 0:
        # Above any finite size: nothing is kept.
        return Cut((1 << 31) - 1, {})

    def parts() -> Iterator[tuple[str, Array]]:
        for place in places:
            for chunk in space.chunks(place):
                yield place.name, sizes(chunk.values[model])

    return largest(parts(), parts(), count)


def _mask(values: Array, bits: int, ties: int) -> tuple[Array, int]:
    """Which are kept, if ``ties`` of those equal to the cut may be, and how many of these there are."""
    own = sizes(values)
    mask, equal = own > bits, own == bits
    found = int(equal.sum())
    if 0 < found <= ties:
        return mask | equal, found
    if found and ties:
        xp = array_namespace(values)
        return mask | (equal & (xp.cumulative_sum(xp.astype(equal, xp.int64)) <= ties)), ties
    return mask, 0

"""Which elements are the largest: exactly as many as asked for, found while chunks stream past.

Sizes are compared in float32. Among equal ones the first count, by name of the tensor, then by index. So a larger
count keeps what a smaller one keeps.

The bits of non-negative float32 numbers order as the numbers do. Two histograms, of the upper and of the lower 16 bits,
find the size of the last one that is kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from lm_interpolation.points.methods.spaces import Array, Place, Space, namespace

_LOW = 1 << 16
_HIGH = 1 << 15
"""Bins of the lower and of the upper bits: the sign bit of a size is 0."""

_TOGETHER = 1 << 18
"""Elements that are counted at once: many beside the number of bins."""

_HELD = 1 << 25
"""Sizes, of 4 bytes, that may be in memory at once: those of four matrices of 2048 x 4096."""

Counts = np.ndarray[Any, np.dtype[np.int64]]

Parts = Callable[[], Iterable[tuple[str, Mapping[str, Array]]]]
"""Yields (tensor, name -> sizes) for all chunks, tensors in order of their names. Can be called again and again."""


class Cut(NamedTuple):
    """Where the kept ones end: all sizes above ``bits``, and of those equal to it the first ``ties`` of each tensor.

    Tensors in ``whole`` keep all that are equal to it.
    """

    bits: int
    ties: Mapping[str, int]
    whole: frozenset[str]


NOTHING = Cut((1 << 31) - 1, {}, frozenset())
"""Above any size."""
EVERYTHING = Cut(-1, {}, frozenset())


def sizes(values: Array) -> Array:
    """|values| rounded to float32, as integers (int32) that order in the same way."""
    xp = namespace(values)
    return xp.astype(values, xp.float32).view(xp.int32) & 0x7FFFFFFF


def sizes_in(space: Space, places: Iterable[Place]) -> Parts:
    """The sizes of all displacements of some tensors."""
    chosen = list(places)

    def parts() -> Iterator[tuple[str, Mapping[str, Array]]]:
        for place in chosen:
            for chunk in space.chunks(place):
                yield place.name, {model: sizes(values) for model, values in chunk.values.items()}

    return held(parts, sum(place.size for place in chosen) * len(space.weights))


def held(parts: Parts, elements: int) -> Parts:
    """``parts``, kept in memory after the first pass if there are few ``elements`` in all."""
    if elements > _HELD:
        return parts
    kept: list[tuple[str, Mapping[str, Array]]] = []

    def again() -> Iterator[tuple[str, Mapping[str, Array]]]:
        if not kept:
            kept.extend(parts())
        yield from kept

    return again


def kept_count(share: float, elements: int) -> int:
    """floor(share n). Shares are decimals of few digits, taken exactly: 0.29 of 100 elements are 29."""
    return int(Fraction(str(share)) * elements)


def find_cuts(
    parts: Parts, elements: int, counts: Sequence[int], names: Sequence[str], known: dict[str, Counts] | None = None
) -> dict[str, list[Cut]]:
    """For each of ``names``, the cuts that keep each of ``counts`` of its ``elements`` sizes.

    Reads all parts twice; once if ``known`` holds the upper histograms of all names (those that are found are added);
    not at all for none or all elements.
    """
    known = {} if known is None else known
    searched = [count for count in counts if 0 < count < elements]
    if searched:
        known |= _upper_counts(parts, [name for name in names if name not in known])
    bins = {name: sorted({_from_top(known[name], count)[0] for count in searched}) for name in names}
    lower = {(name, high): _ByTensor() for name in names for high in bins[name]}
    if lower:
        for tensor, bits in parts():
            for (name, high), found in lower.items():
                own = bits[name]
                equal = own[(own >> 16) == high]
                if len(equal):
                    found.add(tensor, equal & (_LOW - 1))

    def cut(name: str, count: int) -> Cut:
        if count in (0, elements):
            return EVERYTHING if count else NOTHING
        high, more = _from_top(known[name], count)
        return _cut_in(lower[name, high], high, more)

    return {name: [cut(name, count) for count in counts] for name in names}


def above(cut: Cut, tensor: str) -> Callable[[Array], Array]:
    """What says which sizes of a tensor are kept. Call it once for each chunk of the tensor, in order."""
    if tensor in cut.whole:
        return lambda own: own >= cut.bits
    left = cut.ties.get(tensor, 0)

    def mask(own: Array) -> Array:
        nonlocal left
        if not left:
            return own > cut.bits
        equal = own == cut.bits
        xp = namespace(own)
        chosen = equal & (xp.cumulative_sum(xp.astype(equal, xp.int64)) <= left)
        left -= int(xp.count_nonzero(chosen))
        return (own > cut.bits) | chosen

    return mask


def where_chosen(mask: Array, values: Array) -> Array:
    """``values`` (float64) where the mask, which may have been made on the CPU, is true, and 0 elsewhere."""
    xp = namespace(values)
    # -1 has all bits. NumPy's `where` takes four times as long if the mask changes often.
    here = mask if type(mask) is type(values) else xp.asarray(mask, device=device(values))
    bits = -xp.astype(here, xp.int64)
    return (values.view(xp.int64) & bits).view(xp.float64)


class _Tally:
    """A histogram of integers below ``bins`` that come in pieces."""

    def __init__(self, bins: int) -> None:
        self._counts: Counts = np.zeros(bins, np.int64)
        self._pieces: list[Array] = []
        self._waiting = 0

    def add(self, values: Array) -> None:
        self._pieces.append(values)
        self._waiting += len(values)
        if self._waiting >= _TOGETHER:
            self._count()

    def counts(self) -> Counts:
        if self._pieces:
            self._count()
        return self._counts

    def _count(self) -> None:
        xp = namespace(self._pieces[0])
        whole = self._pieces[0] if len(self._pieces) == 1 else xp.concat(self._pieces)
        found = xp.bincount(whole, minlength=len(self._counts))
        self._counts += np.asarray(found.cpu() if hasattr(found, "cpu") else found)
        self._pieces, self._waiting = [], 0


class _ByTensor:
    """Histograms of the lower bits in each tensor: of a whole model too many to keep their empty bins."""

    def __init__(self) -> None:
        self._tensor, self._tally = "", _Tally(_LOW)
        self._found: dict[str, tuple[Array, Array]] = {}

    def add(self, tensor: str, values: Array) -> None:
        """Count values of a tensor. Those of one tensor come one after the other."""
        if tensor != self._tensor:
            self._close()
            self._tensor, self._tally = tensor, _Tally(_LOW)
        self._tally.add(values)

    def total(self) -> Counts:
        """The histogram of all tensors."""
        self._close()
        total = np.zeros(_LOW, np.int64)
        for bins, counts in self._found.values():
            total[bins] += counts
        return total

    def of_bin(self, low: int) -> Iterator[tuple[str, int]]:
        """(tensor, count of one bin) for all tensors, in order."""
        self._close()
        for tensor, (bins, counts) in self._found.items():
            yield tensor, int(counts[bins == low].sum())

    def _close(self) -> None:
        if self._tensor:
            counts = self._tally.counts()
            bins = np.flatnonzero(counts)
            # Counts of one bin in one tensor are small.
            self._found[self._tensor] = bins.astype(np.uint16), counts[bins].astype(np.min_scalar_type(counts.max()))
            self._tensor, self._tally = "", _Tally(_LOW)


def _upper_counts(parts: Parts, names: Sequence[str]) -> dict[str, Counts]:
    tallies = {name: _Tally(_HIGH) for name in names}
    if names:
        for _, bits in parts():
            for name, tally in tallies.items():
                tally.add(bits[name] >> 16)
    return {name: tally.counts() for name, tally in tallies.items()}


def _from_top(histogram: Counts, count: int) -> tuple[int, int]:
    """The bin in which the ``count``-th from the top lies, and how many of that bin are among them."""
    reached = np.cumsum(histogram[::-1])
    place = int(np.searchsorted(reached, count))
    return len(histogram) - 1 - place, count - int(reached[place - 1] if place else 0)


def _cut_in(lower: _ByTensor, high: int, count: int) -> Cut:
    """The cut that keeps ``count`` of the sizes in an upper bin; ``lower`` holds the histogram of each tensor in it."""
    low, left = _from_top(lower.total(), count)
    ties, whole = {}, []
    for tensor, here in lower.of_bin(low):
        if here <= left:
            whole.append(tensor)
        else:
            ties[tensor] = left
        left -= min(here, left)
    return Cut((high << 16) | low, ties, frozenset(whole))

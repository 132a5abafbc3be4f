"""Displacements of models from a base, tensor by tensor and chunk by chunk, and spaces derived from them.

A *stage* of a method is a function ``apply(space, **settings)`` in a module of its own: it takes a ``Space`` and
returns another. A chain of stages costs no memory: a chunk passes all of them before the next is read. A stage that
needs a statistic of a whole tensor, or of the whole model, reads the chunks of the space before it as often as needed.

Arrays are NumPy's on a CPU, whether a point is merged to disk or moved to in memory, and torch's on a GPU. Stages use
only what both have (https://data-apis.org/array-api), so there is one kernel for all.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from array_api_compat import array_namespace

Array = Any
"""A one-dimensional array of NumPy or torch."""

T = TypeVar("T")

_NAMESPACES: dict[type, Any] = {}

MERGED = ""
"""Name of the only model of a space whose models have been combined."""


@dataclass(frozen=True)
class Place:
    """A tensor: its canonical name, its shape, and the axis of its output units (1 for GPT-2's Conv1D)."""

    name: str
    shape: tuple[int, ...]
    outputs: int = 0

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class Chunk(NamedTuple):
    """Consecutive elements of one tensor, flat (row-major), from index ``start`` on.

    ``base`` holds the weights of the base in float64, or is None if they are 0; ``values`` maps each model to its
    displacements in float64. A stage may overwrite neither.
    """

    start: int
    base: Array | None
    values: Mapping[str, Array]


@dataclass
class Space:
    """Displacements of some models from a base.

    Attributes:
        places: the tensors that hold weights, by name, sorted by name.
        weights: coefficient of each model other than the base, sorted by name.
        key: says how the displacements came about, for ``remember``.
        memory: what stages have computed, shared by all spaces over the same models.
    """

    places: Mapping[str, Place]
    weights: Mapping[str, float]
    key: tuple[Hashable, ...]
    memory: dict[Hashable, Any] = field(default_factory=dict)

    def chunks(self, place: Place) -> Iterator[Chunk]:
        """All elements of a tensor, in order. Can be called again and again."""
        raise NotImplementedError

    def prepare(self, place: Place) -> None:
        """Compute the statistics that the next ``chunks`` of this tensor needs.

        Another thread may read the chunks of other tensors meanwhile, as long as these are prepared, too.
        """

    @property
    def origin(self) -> "Space":
        """The displacements as they were before the first stage."""
        return self

    def remember(self, name: Hashable, compute: Callable[[], T]) -> T:
        """The value of ``compute()``, which depends on this space and ``name`` alone; computed once."""
        key = (*self.key, name)
        if key not in self.memory:
            self.memory[key] = compute()
        found: T = self.memory[key]
        return found


Change = Callable[[Chunk], Mapping[str, Array]]
"""The new displacements of one chunk."""


class Changed(Space):
    """A space whose chunks are those of another, changed."""

    def __init__(
        self,
        before: Space,
        stage: tuple[Hashable, ...],
        change: Callable[[Place], Change],
        weights: Mapping[str, float] | None = None,
    ) -> None:
        """``change`` is called for each tensor, and its result for each chunk of it, in order.

        ``stage`` names what is done, with all that the result depends on: settings, and weights if they matter. So
        spaces with the same ``key`` are equal. ``weights`` are the coefficients after it, by default those
        before it.
        """
        super().__init__(
            before.places,
            before.weights if weights is None else weights,
            (*before.key, stage),
            before.memory,
        )
        self._before, self._change = before, change
        self._prepared: dict[str, Change] = {}

    def prepare(self, place: Place) -> None:
        self._before.prepare(place)
        self._prepared[place.name] = self._change(place)

    @property
    def origin(self) -> Space:
        return self._before.origin

    def chunks(self, place: Place) -> Iterator[Chunk]:
        change = self._prepared.pop(place.name, None) or self._change(place)
        for chunk in self._before.chunks(place):
            yield chunk._replace(values=change(chunk))


def combined(before: Space, stage: tuple[Hashable, ...], change: Callable[[Place], Callable[[Chunk], Array]]) -> Space:
    """The space of one model, ``MERGED`` with the coefficient 1, whose chunks ``change`` computes from those before."""

    def of(place: Place) -> Change:
        combine = change(place)
        return lambda chunk: {MERGED: combine(chunk)}

    return Changed(before, stage, of, {MERGED: 1.0})


def weighted_sum(values: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """sum_m w_m v_m in float64, added in the order of ``weights``."""
    total = None
    for model, weight in weights.items():
        term = values[model] * weight
        if total is None:
            total = term
        else:
            total += term
    return total


def namespace(array: Array) -> Any:
    """The array API's functions for an array. (Asking array_api_compat for each chunk costs as much as adding two.)"""
    kind = type(array)
    if kind not in _NAMESPACES:
        _NAMESPACES[kind] = array_namespace(array)
    return _NAMESPACES[kind]

"""The statistics of the next tensor are computed while the current one is merged."""

import contextlib
import itertools
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from lm_interpolation.points.method_merging import _AHEAD, _prepared_ahead
from lm_interpolation.points.methods.spaces import Changed, Chunk, Place, Space

PLACES = {name: Place(name, (2,)) for name in "abc"}


class Ones(Space):
    """One chunk of ones for each tensor; says which tensors are prepared, and waits for leave to prepare ``b``."""

    def __init__(self) -> None:
        super().__init__(PLACES, {"m": 1.0}, ())
        self.asked: list[str] = []
        self.leave = threading.Event()

    def chunks(self, place: Place) -> Iterator[Chunk]:
        yield Chunk(0, None, {"m": np.ones(2)})

    def prepare(self, place: Place) -> None:
        self.asked.append(place.name)
        if place.name == "b":
            assert self.leave.wait(60)
        if place.name == "c":
            raise ValueError("c is broken")


def test_tensors_are_prepared_ahead() -> None:
    space = Ones()
    places = _prepared_ahead(space, PLACES.values())
    assert next(places).name == "a"
    # This thread could work on a now.
    while space.asked != ["a", "b"]:
        pass
    space.leave.set()
    assert next(places).name == "b"
    with pytest.raises(ValueError, match="c is broken"):
        next(places)


def test_no_more_of_them_than_need_be() -> None:
    space = Ones()
    space.leave.set()
    with contextlib.closing(_prepared_ahead(space, itertools.repeat(PLACES["a"]))) as places:
        for _ in range(3):
            next(places)
        assert len(space.asked) <= 3 + _AHEAD


def test_it_ends_where_the_caller_stops() -> None:
    before, space = threading.active_count(), Ones()
    places = _prepared_ahead(space, PLACES.values())
    next(places)
    threading.Timer(0.1, space.leave.set).start()
    places.close()
    assert "c" not in space.asked
    while threading.active_count() > before:
        pass


def test_what_is_prepared_is_used_once() -> None:
    """What a stage makes for a tensor may change as its chunks pass."""
    counts: list[str] = []

    def change(place: Place):
        counts.append(place.name)
        return lambda chunk: {"m": chunk.values["m"] * len(counts)}

    space = Changed(Ones(), ("count",), change)
    space.prepare(PLACES["a"])
    assert counts == ["a"]
    for expected in (1, 2):
        (chunk,) = space.chunks(PLACES["a"])
        assert chunk.values["m"].tolist() == [expected] * 2
    assert counts == ["a", "a"]

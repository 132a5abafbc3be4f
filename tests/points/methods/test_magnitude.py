"""Keeping the largest, and a band of them: exact counts, ties by name and index, nesting."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods import selection
from lm_interpolation.points.methods.selection import EVERYTHING, NOTHING, find_cuts, kept_count, sizes
from tests.points.methods.arrays import Arrays, displacements_of, random_models, staged

SHAPES = {"one.weight": (5, 9), "two.bias": (11,), "three.weight": (3, 4, 2), "zero": ()}
WEIGHTS = {"a": 0.5, "b": 0.25}

densities = st.floats(0, 1).map(lambda value: round(value, 3))


def kept(name: str, settings: dict, seed: int, chunk: int = 7, base: str | None = "base") -> dict[str, dict]:
    space = Arrays(random_models(seed, SHAPES), WEIGHTS, base, chunk)
    after = staged(space, (name, settings))
    return {tensor: displacements_of(after, tensor) for tensor in SHAPES}


def moved(seed: int, tensor: str, model: str) -> np.ndarray:
    models = random_models(seed, SHAPES)
    return models[model][tensor].astype(np.float64) - models["base"][tensor]


def order(values: np.ndarray) -> np.ndarray:
    """Indices by descending size in float32, equal ones by index."""
    return np.argsort(-abs(values.reshape(-1).astype(np.float32)), kind="stable")


@given(st.integers(0, 10**6), densities, st.integers(1, 60))
def test_the_largest_of_each_tensor_are_kept(seed: int, density: float, chunk: int) -> None:
    found = kept("magnitude", {"density": density, "over": "tensor"}, seed, chunk)
    for tensor in SHAPES:
        for model in WEIGHTS:
            values = moved(seed, tensor, model)
            chosen = order(values)[: int(Fraction(str(density)) * values.size)]
            expected = np.zeros(values.size)
            expected[chosen] = values.reshape(-1)[chosen]
            np.testing.assert_array_equal(found[tensor][model].reshape(-1), expected)


@given(st.integers(0, 10**6), densities, densities, st.integers(1, 60))
def test_a_band_is_what_follows_the_largest(seed: int, density: float, drop: float, chunk: int) -> None:
    density = min(density, round(1 - drop, 3))
    found = kept("band", {"density": density, "drop_top": drop}, seed, chunk)
    for tensor in SHAPES:
        for model in WEIGHTS:
            values = moved(seed, tensor, model)
            top = kept_count(drop, values.size)
            chosen = order(values)[top : top + kept_count(density, values.size)]
            expected = np.zeros(values.size)
            expected[chosen] = values.reshape(-1)[chosen]
            np.testing.assert_array_equal(found[tensor][model].reshape(-1), expected)


def test_a_band_that_drops_no_top_is_magnitude() -> None:
    band = kept("band", {"density": 0.4, "drop_top": 0}, 5)
    magnitude = kept("magnitude", {"density": 0.4, "over": "tensor"}, 5)
    np.testing.assert_equal(band, magnitude)


def test_more_than_all_is_no_band() -> None:
    kept("band", {"density": 0.9, "drop_top": 0.1}, 5)
    with pytest.raises(UserError, match=r"density 0\.9 and drop_top 0\.100001 sum to more than 1"):
        kept("band", {"density": 0.9, "drop_top": 0.100001}, 5)


@pytest.mark.parametrize("over", ["model", "tensor"])
def test_masks_are_nested(over: str) -> None:
    before: dict = {}
    for density in (0, 0.1, 0.25, 0.5, 0.9, 1):
        now = kept("magnitude", {"density": density, "over": over}, 11)
        for tensor, values in before.items():
            for model, array in values.items():
                assert (now[tensor][model] == array)[array != 0].all()
        before = now
    for tensor in SHAPES:
        for model in WEIGHTS:
            np.testing.assert_array_equal(before[tensor][model], moved(11, tensor, model))


def test_without_a_base_weights_themselves_are_trimmed() -> None:
    found = kept("magnitude", {"density": 0.3, "over": "model"}, 4, base=None)
    models = random_models(4, SHAPES)
    for model in WEIGHTS:
        whole = np.concatenate([models[model][tensor].reshape(-1) for tensor in sorted(SHAPES)])
        chosen = order(whole)[: kept_count(0.3, whole.size)]
        expected = np.zeros(whole.size)
        expected[chosen] = whole[chosen]
        there = np.concatenate([found[tensor][model].reshape(-1) for tensor in sorted(SHAPES)])
        np.testing.assert_array_equal(there, expected)


@pytest.mark.parametrize("held", [True, False])
def test_all_densities_share_a_histogram_and_all_models_a_pass(held: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes are read twice, or once if they are few; then the tensors are read once more."""
    if not held:
        monkeypatch.setattr(selection, "_HELD", 0)
    space = Arrays(random_models(2, SHAPES), WEIGHTS, "base", 1000)
    read = []
    chunks = space.chunks
    space.chunks = lambda place: read.append(place.name) or chunks(place)  # type: ignore[method-assign, func-returns-value]
    for density, reads in ((0.5, 2 if held else 3), (0.5, 1), (0.25, 2), (1, 1), (0, 1)):
        read.clear()
        after = staged(space, ("magnitude", {"density": density, "over": "model"}))
        for tensor in SHAPES:
            displacements_of(after, tensor)
        assert len(read) == reads * len(SHAPES), density


@given(st.lists(st.integers(0, (1 << 31) - 1) | st.sampled_from([0, 1 << 16, (1 << 16) + 1]), min_size=1), st.data())
def test_cuts_keep_as_many_as_asked_for(bits: list[int], data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, len(bits)), min_size=1, max_size=3))
    split = data.draw(st.integers(0, len(bits)))
    array = np.array(bits, np.int32)
    parts = [("a", {"m": array[:split]}), ("b", {"m": array[split:]})]
    cuts = find_cuts(lambda: iter(parts), len(bits), counts, ["m"])["m"]
    for count, cut in zip(counts, cuts, strict=True):
        above = int((array > cut.bits).sum())
        ties = sum(int((own["m"] == cut.bits).sum()) for tensor, own in parts if tensor in cut.whole)
        assert above + ties + sum(cut.ties.values()) == count
        if count in (0, len(bits)):
            assert cut == (EVERYTHING if count else NOTHING)


def test_sizes_order_as_numbers_do() -> None:
    values = np.array([0.0, -0.0, 1e-46, -1e-45, 1e-38, -1e-7, 0.5, -0.5, 3.4e38, np.finfo(float).max])
    with np.errstate(over="ignore"):
        found = sizes(values)
        singles = abs(values).astype(np.float32)
    assert found.dtype == np.int32
    assert (np.argsort(found, kind="stable") == np.argsort(singles, kind="stable")).all()

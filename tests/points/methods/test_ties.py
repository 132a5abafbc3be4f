"""TIES: trimming, election and the disjoint mean, against their definitions on whole arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_interpolation.points.methods.selection import kept_count
from tests.points.methods.arrays import Arrays, at, displacements_of, method, random_models, tensor_of

SHAPES = {"one.weight": (5, 9), "two.bias": (11,), "three.weight": (3, 4, 2)}
TIES = (("magnitude", {"density": {"coordinate": "density"}, "over": "model"}), ("elect", {}), ("mean", {}))


def trimmed(displacement: dict[str, np.ndarray], density: float) -> dict[str, np.ndarray]:
    """The largest floor(d n) over all tensors; ties by name, then by index."""
    order = [
        (-abs(np.float32(value)), name, index)
        for name in sorted(displacement)
        for index, value in enumerate(displacement[name].reshape(-1))
    ]
    kept = sorted(order)[: kept_count(density, len(order))]
    result = {name: np.zeros(array.size) for name, array in displacement.items()}
    for _, name, index in kept:
        result[name][index] = displacement[name].reshape(-1)[index]
    return {name: array.reshape(displacement[name].shape) for name, array in result.items()}


@given(st.integers(0, 10**6), st.floats(0, 1).map(lambda value: round(value, 3)), st.integers(1, 60))
def test_the_largest_of_the_whole_model_are_kept(seed: int, density: float, chunk: int) -> None:
    models = random_models(seed, SHAPES)
    space = Arrays(models, {"a": 0.5, "b": 0.5}, "base", chunk)
    kept = at(method(("magnitude", {"density": density, "over": "model"})), {"a": 0.5, "b": 0.5}, space)
    for model in "ab":
        moved = {name: models[model][name].astype(float) - models["base"][name] for name in SHAPES}
        expected = trimmed(moved, density)
        for name in SHAPES:
            np.testing.assert_array_equal(displacements_of(kept, name)[model], expected[name])


@pytest.mark.parametrize("density", [0, 0.2, 0.5, 1])
@pytest.mark.parametrize("torch_arrays", [False, True])
def test_ties_is_its_definition(density: float, torch_arrays: bool) -> None:
    models = random_models(3, SHAPES)
    weights = {"a": 0.75, "b": -0.5, "c": 0.25}
    space = Arrays(models, weights, "base", torch_arrays=torch_arrays)
    ties = method(*TIES, coordinates=("density",))
    merged = at(ties, weights, space, density=density)
    trim = {m: trimmed({n: models[m][n].astype(float) - models["base"][n] for n in SHAPES}, density) for m in weights}
    for name in SHAPES:
        terms = {model: weight * trim[model][name] for model, weight in weights.items()}
        sign = np.where(sum(terms.values()) >= 0, 1, -1)
        agrees = {model: np.sign(term) == sign for model, term in terms.items()}
        total = sum(np.where(agrees[model], terms[model], 0) for model in weights)
        share = sum(np.where(agrees[model], abs(weights[model]), 0) for model in weights)
        mean = np.where(share > 0, total * 1.5 / np.where(share > 0, share, 1), 0)
        np.testing.assert_allclose(tensor_of(merged, name), models["base"][name] + mean, rtol=1e-12, atol=1e-15)

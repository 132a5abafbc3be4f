"""Fisher merging against its formula on whole arrays, and its limits."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.fisher import FLOOR
from tests.points.methods.arrays import Arrays, displacements_of, random_models, staged, tensor_of
from tests.points.methods.statistics import write_fisher

SHAPES = {"one.weight": (5, 9), "two.bias": (11,), "three.weight": (1,)}
WEIGHTS = {"a": 0.5, "b": 0.25, "c": 0.5}
Statistics = dict[str, dict[str, np.ndarray]]


def random_information(seed: int, models: str = "abc", scale: float = 1e-8) -> Statistics:
    """F of models: squares of normal numbers, a tenth of them 0."""
    rng = np.random.default_rng(seed)
    return {
        model: {
            name: (scale * rng.normal(size=shape) ** 2 * (rng.random(shape) > 0.1)).astype(np.float32)
            for name, shape in SHAPES.items()
        }
        for model in models
    }


def combine(
    folder: Path, information: Statistics, weights: dict[str, float], models: Statistics, base: str | None = "base"
) -> dict[str, np.ndarray]:
    """Tensor -> the combination; that of displacements if there is a base."""
    space = Arrays(models, weights, base, 7)
    after = staged(space, ("fisher", {"statistic": write_fisher(folder, information)}))
    (name,) = after.weights
    assert after.weights[name] == 1
    return {tensor: displacements_of(after, tensor)[name] for tensor in SHAPES}


def moved(models: Statistics, tensor: str, model: str) -> np.ndarray:
    return models[model][tensor].astype(np.float64) - models["base"][tensor]


def affine(models: Statistics, tensor: str, weights: dict[str, float]) -> np.ndarray:
    return sum(weight * moved(models, tensor, model) for model, weight in weights.items())


def furthest(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """The largest difference, relative to the largest value of the tensor."""
    return max(np.abs(found[name] - expected[name]).max() / np.abs(expected[name]).max() for name in found)


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_it_is_its_formula(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """b + s sum w F tau / sum w F with s = sum c, w = c / s and F of at least a millionth of its mean."""
    models, information = random_models(seed, SHAPES), random_information(seed)
    found = combine(tmp_path_factory.mktemp("fisher"), information, WEIGHTS, models)
    scale = sum(WEIGHTS.values())
    expected = {}
    for tensor in SHAPES:
        own = {model: information[model][tensor].astype(np.float64) for model in WEIGHTS}
        floor = 1e-6 * sum(WEIGHTS[model] / scale * own[model].mean() for model in WEIGHTS)
        shares = {model: WEIGHTS[model] * np.maximum(own[model], floor) for model in WEIGHTS}
        total = sum(shares.values())
        expected[tensor] = (
            affine(models, tensor, WEIGHTS)
            if floor == 0
            else scale * sum(shares[model] * moved(models, tensor, model) for model in WEIGHTS) / total
        )
    assert furthest(found, expected) < 1e-14


def test_equal_information_gives_the_affine_point(tmp_path: Path) -> None:
    """Largest difference 4e-16 of the largest displacement."""
    models = random_models(3, SHAPES)
    one = random_information(4)["a"]
    found = combine(tmp_path, dict.fromkeys("abc", one), WEIGHTS, models)
    assert furthest(found, {tensor: affine(models, tensor, WEIGHTS) for tensor in SHAPES}) < 1e-15


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e-30])
def test_a_model_without_information_leaves_it_to_the_other(tmp_path: Path, scale: float) -> None:
    """But for the floor, however small F is: an absolute one would give the mean."""
    models = random_models(5, SHAPES)
    full = {name: np.full(shape, scale, np.float32) for name, shape in SHAPES.items()}
    none = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    weights = {"a": 0.5, "b": 0.5}
    found = combine(tmp_path, {"a": full, "b": none}, weights, models)
    assert furthest(found, {tensor: moved(models, tensor, "a") for tensor in SHAPES}) < 4 * FLOOR


def test_each_weight_follows_the_model_that_knows_about_it(tmp_path: Path) -> None:
    models = random_models(6, SHAPES)
    mine = {name: (np.arange(np.prod(shape, dtype=int)).reshape(shape) % 2) for name, shape in SHAPES.items()}
    found = combine(
        tmp_path, {"a": mine, "b": {name: 1 - values for name, values in mine.items()}}, {"a": 1.0, "b": 1.0}, models
    )
    for tensor in SHAPES:
        expected = 2 * np.where(mine[tensor] == 1, moved(models, tensor, "a"), moved(models, tensor, "b"))
        np.testing.assert_allclose(found[tensor], expected, rtol=0, atol=1e-6)


def test_no_information_at_all_gives_the_affine_point(tmp_path: Path) -> None:
    models = random_models(7, SHAPES)
    none = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    found = combine(tmp_path, dict.fromkeys("abc", none), WEIGHTS, models)
    assert furthest(found, {tensor: affine(models, tensor, WEIGHTS) for tensor in SHAPES}) < 1e-15


@pytest.mark.parametrize("factor", [2.0**-40, 2.0**20])
def test_only_ratios_of_information_count(tmp_path: Path, factor: float) -> None:
    """Bit by bit, for powers of two."""
    models, information = random_models(8, SHAPES), random_information(9)
    scaled = {
        model: {name: values * np.float32(factor) for name, values in tensors.items()}
        for model, tensors in information.items()
    }
    one, two = (combine(tmp_path / name, some, WEIGHTS, models) for name, some in (("1", information), ("2", scaled)))
    for tensor in SHAPES:
        np.testing.assert_array_equal(one[tensor], two[tensor])


def test_coefficients_multiply_information(tmp_path: Path) -> None:
    """A model with twice the F counts like one with twice the coefficient; s is the same."""
    models, information = random_models(10, SHAPES), random_information(11, scale=1.0)
    # None of it below the floor.
    information = {
        model: {name: values + np.float32(0.1) for name, values in tensors.items()}
        for model, tensors in information.items()
    }
    twice = information | {"a": {name: 2 * values for name, values in information["a"].items()}}
    one = combine(tmp_path / "1", twice, {"a": 1.0, "b": 1.0}, models)
    two = combine(tmp_path / "2", information, {"a": 4 / 3, "b": 2 / 3}, models)
    assert furthest(one, two) < 1e-14


def test_one_model_is_itself(tmp_path: Path) -> None:
    models = random_models(12, SHAPES)
    found = combine(tmp_path, random_information(13), {"a": 1.0}, models, base=None)
    for tensor in SHAPES:
        np.testing.assert_array_equal(found[tensor], models["a"][tensor].astype(np.float64))


def test_with_a_base_the_sum_of_coefficients_is_the_distance(tmp_path: Path) -> None:
    models, information = random_models(14, SHAPES), random_information(15)
    near, far = (
        combine(tmp_path / str(scale), information, {"a": scale / 2, "b": scale / 2}, models) for scale in (0.25, 1.0)
    )
    for tensor in SHAPES:
        np.testing.assert_allclose(4 * near[tensor], far[tensor], rtol=1e-14)
    space = Arrays(models, {"a": 0.5, "b": 0.5}, "base", 7)
    after = staged(space, ("fisher", {"statistic": write_fisher(tmp_path / "1.0", information)}))
    tensor = "one.weight"
    np.testing.assert_allclose(tensor_of(after, tensor), models["base"][tensor] + far[tensor], rtol=1e-14)


@pytest.mark.parametrize("weights", [{"a": 1.5, "b": -0.5}, {"a": -1.0}])
def test_negative_coefficients_are_refused(tmp_path: Path, weights: dict[str, float]) -> None:
    with pytest.raises(UserError, match="negative"):
        combine(tmp_path, random_information(1), weights, random_models(1, SHAPES))


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    models, information = random_models(1, SHAPES), random_information(1)

    def refused(statistics: Statistics, words: str) -> None:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        with pytest.raises(UserError, match=words):
            combine(folder, statistics, WEIGHTS, models)

    refused({"a": information["a"], "b": information["b"]}, r"c.safetensors: no statistic of model c; build this file")
    some = {model: {"one.weight": tensors["one.weight"]} for model, tensors in information.items()}
    refused(some, r"has no F of three.weight, a tensor of the models")
    refused(
        information | {"b": some["b"]}, r"the statistics of a and b are not about the same tensors \(three.weight\)"
    )
    larger = {model: tensors | {"two.bias": np.ones(12)} for model, tensors in information.items()}
    refused(larger, r"has a statistic of shape \(12,\) for two.bias, where the models need \(11,\)")
    for broken in (-1.0, np.nan, np.inf):
        bad = information["b"] | {"two.bias": np.array([1.0] * 10 + [broken])}
        refused(information | {"b": bad}, r"b.safetensors: F of two.bias is negative, NaN or infinite")

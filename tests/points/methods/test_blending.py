"""SLERP, Karcher mean, stock and SCE against their formulas on whole arrays, and their limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.methods.gram import gram
from lm_interpolation.points.methods.karcher import mean
from lm_interpolation.points.methods.slerp import arc
from tests.points.methods.arrays import Arrays, Tensors, displacements_of, random_models, staged, tensor_of

SHAPES = {"one.weight": (5, 9), "two.bias": (11,)}
KARCHER = ("karcher", {"iterations": 50, "tolerance": 1e-13})
STAGES = {"slerp": ("slerp", {}), "karcher": KARCHER, "stock": ("stock", {}), "sce": ("sce", {})}


def combine(stage: str, models: dict[str, Tensors], weights: dict[str, float], base: str | None = "base") -> dict:
    """Tensor -> the combination; that of displacements if there is a base."""
    space = Arrays(models, weights, base, 7)
    after = staged(space, STAGES[stage])
    (name,) = after.weights
    assert after.weights[name] == 1
    return {tensor: displacements_of(after, tensor)[name] for tensor in SHAPES}


def moved(models: dict[str, Tensors], tensor: str, model: str) -> np.ndarray:
    return models[model][tensor].astype(np.float64) - models["base"][tensor]


def slerp(one: np.ndarray, two: np.ndarray, t: float) -> np.ndarray:
    cosine = (one * two).sum() / np.linalg.norm(one) / np.linalg.norm(two)
    angle = math.acos(cosine)
    return (math.sin((1 - t) * angle) * one + math.sin(t * angle) * two) / math.sin(angle)


@given(st.integers(0, 10**6), st.floats(0.01, 0.99), st.floats(0.1, 3))
def test_slerp_is_its_formula(seed: int, t: float, scale: float) -> None:
    models = random_models(seed, SHAPES)
    found = combine("slerp", models, {"a": scale * (1 - t), "c": scale * t})
    for tensor in SHAPES:
        expected = scale * slerp(moved(models, tensor, "a"), moved(models, tensor, "c"), t)
        np.testing.assert_allclose(found[tensor], expected, rtol=1e-9, atol=1e-15)


def test_slerp_of_weights_has_no_base() -> None:
    models = random_models(1, SHAPES)
    found = combine("slerp", models, {"a": 0.25, "b": 0.75}, base=None)
    for tensor in SHAPES:
        one, two = (models[model][tensor].astype(float) for model in "ab")
        np.testing.assert_allclose(found[tensor], slerp(one, two, 0.75), rtol=1e-8)
        np.testing.assert_allclose(found[tensor], 0.25 * one + 0.75 * two, rtol=1e-3, atol=1e-3)


@given(st.floats(0, 1), st.floats(1e-12, math.pi), st.floats(1e-9, 1e9))
def test_an_arc_keeps_to_the_angle(t: float, angle: float, length: float) -> None:
    products = np.array([[1, length * math.cos(angle)], [length * math.cos(angle), length**2]])
    first, second = arc(products, 1 - t, t)
    if t in (0, 1):
        assert (first, second) == (1 - t, t)
    if 1e-5 < angle < math.pi - 1e-5:
        assert first == pytest.approx(math.sin((1 - t) * angle) / math.sin(angle), rel=1e-5)
    elif angle < 1e-5:
        assert (first, second) == pytest.approx((1 - t, t), abs=1e-9)
    assert math.isfinite(first + second)


@pytest.mark.parametrize("other", [0.0, 1.0, -1.0, 2.5])
def test_vectors_on_one_line_are_combined_linearly(other: float) -> None:
    """Where there is no arc: one of them 0, the same direction, the opposite one."""
    models = random_models(2, SHAPES)
    models["base"] = {tensor: np.zeros(shape, np.float32) for tensor, shape in SHAPES.items()}
    models["b"] = {tensor: models["a"][tensor] * np.float32(other) for tensor in SHAPES}
    stages = ("slerp", "karcher") if other >= 0 else ("slerp",)
    for stage in stages:
        found = combine(stage, models, {"a": 0.25, "b": 0.75})
        for tensor in SHAPES:
            expected = (0.25 + 0.75 * other) * models["a"][tensor].astype(float)
            np.testing.assert_allclose(found[tensor], expected, rtol=1e-6)


def unit(array: np.ndarray) -> np.ndarray:
    return array / np.linalg.norm(array)


@given(st.integers(0, 10**6), st.floats(0.01, 0.99))
def test_the_karcher_mean_of_two_lies_on_their_arc(seed: int, t: float) -> None:
    models = random_models(seed, SHAPES)
    found = combine("karcher", models, {"a": 1 - t, "b": t})
    for tensor in SHAPES:
        one, two = moved(models, tensor, "a"), moved(models, tensor, "b")
        np.testing.assert_allclose(unit(found[tensor]), slerp(unit(one), unit(two), t), atol=1e-9)
        length = (1 - t) * np.linalg.norm(one) + t * np.linalg.norm(two)
        assert np.linalg.norm(found[tensor]) == pytest.approx(length, rel=1e-9)


def karcher(vectors: list[np.ndarray], weights: list[float], iterations: int) -> np.ndarray:
    """The iteration on whole vectors, as mergekit has it."""
    units = [unit(vector.reshape(-1)) for vector in vectors]
    u = unit(sum(w * v for w, v in zip(weights, units, strict=True)))
    for _ in range(iterations):
        step = np.zeros_like(u)
        for w, v in zip(weights, units, strict=True):
            dot = np.clip(u @ v, -1, 1)
            angle = math.acos(dot)
            step += w * (angle / math.sin(angle) if angle > 1e-9 else 1) * (v - dot * u)
        length = np.linalg.norm(step)
        if length < 1e-13:
            break
        u = unit(math.cos(length) * u + math.sin(length) / length * step)
    total = sum(w * np.linalg.norm(v) for w, v in zip(weights, vectors, strict=True))
    return total * u.reshape(vectors[0].shape)


@given(st.integers(0, 10**6), st.integers(0, 12))
def test_the_karcher_mean_is_that_of_whole_vectors(seed: int, iterations: int) -> None:
    vectors = list(np.random.default_rng(seed).normal(size=(4, 6)) * [[1e-9], [1], [3], [1e6]])
    weights = [0.1, 0.2, 0.3, 0.4]
    products = np.array([[one @ two for two in vectors] for one in vectors])
    factors = mean(products, np.array(weights), iterations, 1e-13)
    np.testing.assert_allclose(factors @ np.array(vectors), karcher(vectors, weights, iterations), rtol=1e-6, atol=1e-4)


def test_directions_that_cancel_have_no_mean_direction() -> None:
    products = np.array([[4.0, -2.0], [-2.0, 1.0]])
    np.testing.assert_array_equal(mean(products, np.array([0.5, 0.5]), 10, 1e-5), [0.5, 0.5])
    np.testing.assert_array_equal(mean(np.zeros((2, 2)), np.array([0.5, 0.5]), 10, 1e-5), [0.5, 0.5])
    # A vector of length 0 has no direction, but counts for the length.
    np.testing.assert_allclose(mean(np.diag([4.0, 0]), np.array([0.25, 0.75]), 10, 1e-5), [0.25, 0])


@given(st.integers(0, 10**6), st.floats(0.1, 2))
def test_stock_is_its_formula(seed: int, scale: float) -> None:
    models = random_models(seed, SHAPES)
    weights = {"a": 0.5 * scale, "b": 0.25 * scale, "c": 0.25 * scale}
    found = combine("stock", models, weights)
    for tensor in SHAPES:
        vectors = [moved(models, tensor, model) for model in "abc"]
        pairs = [(0, 1), (0, 2), (1, 2)]
        cosine = np.mean([(unit(vectors[i]) * unit(vectors[j])).sum() for i, j in pairs])
        t = np.clip(3 * cosine / (1 + 2 * cosine), 0, 1) if cosine > 0 else 0
        np.testing.assert_allclose(found[tensor], scale * t * sum(vectors) / 3, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("size", [1.0, 1e-6])
def test_limits_of_stock(size: float) -> None:
    """Equal models give the model, orthogonal or opposed ones the base, however small displacements are."""
    base = {tensor: np.zeros(shape, np.float32) for tensor, shape in SHAPES.items()}
    left, right = ({tensor: array.copy() for tensor, array in base.items()} for _ in range(2))
    for tensor in SHAPES:
        left[tensor].reshape(-1)[:4], right[tensor].reshape(-1)[4:8] = size, size
    opposed = {tensor: -array for tensor, array in left.items()}
    models = {"base": base, "a": left, "b": left, "c": right, "d": opposed}
    for tensor, found in combine("stock", models, {"a": 0.5, "b": 0.5}).items():
        np.testing.assert_allclose(found, left[tensor], rtol=1e-12)
    for other in "cd":
        assert not any(found.any() for found in combine("stock", models, {"a": 0.5, other: 0.5}).values())


@given(st.integers(0, 10**6))
def test_sce_is_its_formula(seed: int) -> None:
    models = random_models(seed, SHAPES)
    found = combine("sce", models, {"a": 0.5, "b": 0.25, "c": 0.75})
    for tensor in SHAPES:
        vectors = np.stack([moved(models, tensor, model) for model in "abc"])
        weights = (vectors**2).reshape(3, -1).mean(axis=1)
        weights = (weights / weights.sum()).reshape(3, *[1] * (vectors.ndim - 1))
        sign = np.where(vectors.sum(axis=0) >= 0, 1, -1)
        chosen = np.sign(vectors) == sign
        share = (weights * chosen).sum(axis=0)
        expected = (weights * chosen * vectors).sum(axis=0) / np.where(share > 0, share, 1)
        np.testing.assert_allclose(found[tensor], 1.5 * expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("size", [1.0, 1e-6, 0.0])
def test_equal_models_give_the_model(stage: str, size: float) -> None:
    models = random_models(6, SHAPES)
    models["base"] = {tensor: np.zeros(shape, np.float32) for tensor, shape in SHAPES.items()}
    models["a"] = models["b"] = {tensor: array * np.float32(size) for tensor, array in models["a"].items()}
    found = combine(stage, models, {"a": 0.25, "b": 0.75})
    alone = combine(stage, models, {"a": 1})
    for tensor in SHAPES:
        np.testing.assert_allclose(found[tensor], models["a"][tensor].astype(float), rtol=1e-12)
        np.testing.assert_array_equal(alone[tensor], models["a"][tensor].astype(float))


@pytest.mark.parametrize("stage", STAGES)
def test_signs_that_a_combination_does_not_define(stage: str) -> None:
    models = random_models(6, SHAPES)
    for weights in ({"a": 1.5, "b": -0.5}, {"a": -1.0}):
        with pytest.raises(UserError, match="negative"):
            combine(stage, models, weights)


def test_slerp_combines_two() -> None:
    with pytest.raises(UserError, match=r"slerp combines two models, not 3 \(a, b, c\)"):
        combine("slerp", random_models(6, SHAPES), {"a": 0.25, "b": 0.25, "c": 0.5})


def test_a_gram_matrix_is_read_once() -> None:
    models = random_models(9, SHAPES)
    space = Arrays(models, {"a": 0.5, "b": 0.25, "c": 0.25}, "base", 7)
    vectors = np.stack([moved(models, "one.weight", model).reshape(-1) for model in "abc"])
    found = gram(space, space.places["one.weight"])
    np.testing.assert_allclose(found, vectors @ vectors.T, rtol=1e-13)
    space.chunks = None  # type: ignore[assignment, method-assign]
    assert gram(space, space.places["one.weight"]) is found


def test_after_a_combination_one_model_is_left() -> None:
    models = random_models(9, SHAPES)
    weights = {"a": 0.5, "b": 0.5}
    after = staged(Arrays(models, weights, "base", 7), ("slerp", {}))
    expected = models["base"]["two.bias"] + slerp(moved(models, "two.bias", "a"), moved(models, "two.bias", "b"), 0.5)
    np.testing.assert_allclose(tensor_of(after, "two.bias"), expected, rtol=1e-9)

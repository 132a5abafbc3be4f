"""RegMean against its closed form with NumPy, and its limits."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_interpolation.jobs.runtime import UserError
from tests.points.methods.arrays import Arrays, displacements_of, random_models, staged
from tests.points.methods.statistics import write_grams

# (outputs, inputs), as Linear keeps its weight; the last two are no layers.
SHAPES = {"one.weight": (5, 9), "two.weight": (8, 6), "three.weight": (4, 3), "two.bias": (11,)}
LAYERS = ("one.weight", "two.weight")
WEIGHTS = {"a": 0.5, "b": 0.25, "c": 0.5}
Statistics = dict[str, dict[str, np.ndarray]]


def random_grams(seed: int, models: str = "abc", tokens: int = 40, scale: float = 1.0) -> Statistics:
    rng = np.random.default_rng(seed)
    found: Statistics = {}
    for model in models:
        found[model] = {}
        for name in LAYERS:
            inputs = SHAPES[name][1]
            # Inputs of different sizes, correlated.
            rows = scale * rng.normal(size=(tokens, inputs)) @ rng.normal(size=(inputs, inputs))
            found[model][name] = rows.T @ rows / tokens
    return found


def combine(
    folder: Path,
    grams: Statistics,
    weights: dict[str, float],
    models: Statistics,
    off_diagonal: float = 0.6,
    base: str | None = "base",
    model_type: str = "llama",
) -> dict[str, np.ndarray]:
    """Tensor -> the combination; that of displacements if there is a base."""
    space = Arrays(models, weights, base, 7, model_type=model_type)
    settings = {"statistic": write_grams(folder, grams), "off_diagonal": off_diagonal}
    after = staged(space, ("regmean", settings))
    (name,) = after.weights
    assert after.weights[name] == 1
    return {tensor: displacements_of(after, tensor)[name] for tensor in space.places}


def moved(models: Statistics, tensor: str, model: str) -> np.ndarray:
    return models[model][tensor].astype(np.float64) - models["base"][tensor]


def affine(models: Statistics, tensor: str, weights: dict[str, float]) -> np.ndarray:
    return sum(weight * moved(models, tensor, model) for model, weight in weights.items())


def furthest(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """The largest difference, relative to the largest value of the tensor."""
    return max(np.abs(found[name] - expected[name]).max() / np.abs(expected[name]).max() for name in found)


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1, 0.6, 0.9, 1.0]))
def test_it_is_its_closed_form(tmp_path_factory: pytest.TempPathFactory, seed: int, off_diagonal: float) -> None:
    """s (sum w G)^-1 sum w G tau, untransposed, G with a ridge; other tensors are averaged."""
    models, grams = random_models(seed, SHAPES), random_grams(seed)
    found = combine(tmp_path_factory.mktemp("grams"), grams, WEIGHTS, models, off_diagonal)
    scale = sum(WEIGHTS.values())
    expected = {tensor: affine(models, tensor, WEIGHTS) for tensor in SHAPES}
    for tensor in LAYERS:
        size = SHAPES[tensor][1]
        full = {model: grams[model][tensor] for model in WEIGHTS}
        own = {model: off_diagonal * gram + (1 - off_diagonal) * np.diag(np.diag(gram)) for model, gram in full.items()}
        ridge = 1e-6 * sum(WEIGHTS[model] / scale * np.trace(own[model]) for model in WEIGHTS) / size
        ridged = {model: gram + ridge * np.eye(size) for model, gram in own.items()}
        left = sum(WEIGHTS[model] * ridged[model] for model in WEIGHTS)
        right = sum(WEIGHTS[model] * ridged[model] @ moved(models, tensor, model).T for model in WEIGHTS)
        expected[tensor] = scale * (np.linalg.inv(left) @ right).T
    assert furthest(found, expected) < 1e-9


@pytest.mark.parametrize("off_diagonal", [0.6, 1.0])
@pytest.mark.parametrize("tokens", [40, 3])
def test_equal_grams_give_the_affine_point(tmp_path: Path, off_diagonal: float, tokens: int) -> None:
    """Also where G cannot be inverted, since there are fewer tokens than inputs."""
    models = random_models(3, SHAPES)
    one = random_grams(4, tokens=tokens)["a"]
    found = combine(tmp_path, dict.fromkeys("abc", one), WEIGHTS, models, off_diagonal)
    assert furthest(found, {tensor: affine(models, tensor, WEIGHTS) for tensor in SHAPES}) < 1e-8


def test_models_that_read_other_inputs_keep_their_own_rows(tmp_path: Path) -> None:
    """Where the inputs of a model vanish for the other one, its weights on these inputs stay."""
    models = random_models(5, SHAPES)
    full = random_grams(6)["a"]
    grams: Statistics = {"a": {}, "b": {}}
    for tensor in LAYERS:
        half = SHAPES[tensor][1] // 2
        grams["a"][tensor], grams["b"][tensor] = np.zeros_like(full[tensor]), np.zeros_like(full[tensor])
        grams["a"][tensor][:half, :half] = full[tensor][:half, :half]
        grams["b"][tensor][half:, half:] = full[tensor][half:, half:]
    found = combine(tmp_path, grams, {"a": 0.5, "b": 0.5}, models)
    for tensor in LAYERS:
        half = SHAPES[tensor][1] // 2
        expected = np.hstack([moved(models, tensor, "a")[:, :half], moved(models, tensor, "b")[:, half:]])
        np.testing.assert_allclose(found[tensor], expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_only_ratios_of_inputs_count(tmp_path: Path, scale: float) -> None:
    models = random_models(7, SHAPES)
    one = combine(tmp_path / "1", random_grams(8), WEIGHTS, models)
    two = combine(tmp_path / "2", random_grams(8, scale=scale), WEIGHTS, models)
    assert furthest(one, two) < 1e-9


def test_conv1d_is_linear_transposed(tmp_path: Path) -> None:
    """The same model with weights as (inputs, outputs), by the names of GPT-2."""
    linear, grams = random_models(9, SHAPES), random_grams(10)
    names = {"one.weight": "h.0.attn.c_attn.weight", "two.weight": "h.0.mlp.c_proj.weight"}
    conv = {
        model: {names.get(name, name): values.T if name in names else values for name, values in tensors.items()}
        for model, tensors in linear.items()
    }
    conv = {
        model: {name: np.ascontiguousarray(one) for name, one in tensors.items()} for model, tensors in conv.items()
    }
    named = {model: {names[name]: gram for name, gram in tensors.items()} for model, tensors in grams.items()}
    one = combine(tmp_path / "linear", grams, WEIGHTS, linear)
    two = combine(tmp_path / "conv", named, WEIGHTS, conv, model_type="gpt2")
    for name in LAYERS:
        np.testing.assert_allclose(two[names[name]].T, one[name], rtol=1e-12, atol=1e-15)
    assert np.abs(one["one.weight"] - affine(linear, "one.weight", WEIGHTS)).max() > 1e-3


def test_what_models_agree_on_stays(tmp_path: Path) -> None:
    models = random_models(11, SHAPES)
    same = models | dict.fromkeys("bc", models["a"])
    found = combine(tmp_path, random_grams(12), {"a": 0.5, "b": 0.25, "c": 0.25}, same)
    assert furthest(found, {tensor: moved(models, tensor, "a") for tensor in SHAPES}) < 1e-13
    alone = combine(tmp_path, random_grams(12), {"a": 1.0}, models, base=None)
    for tensor in SHAPES:
        np.testing.assert_array_equal(alone[tensor], models["a"][tensor].astype(np.float64))


def test_outputs_change_least(tmp_path: Path) -> None:
    """With whole Gram matrices it minimises sum c E|x W - x W_m|^2; the mean of models does not."""
    models, grams = random_models(13, SHAPES), random_grams(14)
    found = combine(tmp_path, grams, WEIGHTS, models, off_diagonal=1.0)
    scale = sum(WEIGHTS.values())

    def cost(tensor: str, weight: np.ndarray) -> float:
        gaps = {model: weight - moved(models, tensor, model) for model in WEIGHTS}
        return sum(WEIGHTS[model] * np.trace(gap @ grams[model][tensor] @ gap.T) for model, gap in gaps.items())

    rng = np.random.default_rng(0)
    for tensor in LAYERS:
        best = found[tensor] / scale
        assert cost(tensor, best) < 0.95 * cost(tensor, affine(models, tensor, WEIGHTS) / scale)
        for _ in range(5):
            assert cost(tensor, best) < cost(tensor, best + 1e-4 * rng.normal(size=best.shape))


def test_without_inputs_it_is_the_affine_point(tmp_path: Path) -> None:
    models = random_models(15, SHAPES)
    none = {name: np.zeros((SHAPES[name][1],) * 2) for name in LAYERS}
    found = combine(tmp_path, dict.fromkeys("abc", none), WEIGHTS, models)
    assert furthest(found, {tensor: affine(models, tensor, WEIGHTS) for tensor in SHAPES}) < 1e-15


def test_negative_coefficients_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="negative"):
        combine(tmp_path, random_grams(1), {"a": 1.5, "b": -0.5}, random_models(1, SHAPES))


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    models, grams = random_models(1, SHAPES), random_grams(1)
    with pytest.raises(UserError, match=r"c.safetensors: no statistic of model c; build this file"):
        combine(tmp_path / "1", {"a": grams["a"], "b": grams["b"]}, WEIGHTS, models)
    other = {model: tensors | {"two.weight": np.eye(7)} for model, tensors in grams.items()}
    with pytest.raises(
        UserError, match=r"has a statistic of shape \(28,\) for two.weight, where the models need \(21,\)"
    ):
        combine(tmp_path / "2", other, WEIGHTS, models)
    strange = {model: tensors | {"two.bias": np.eye(7)} for model, tensors in grams.items()}
    with pytest.raises(UserError, match=r"of shape \(28,\) for two.bias, where the models need none"):
        combine(tmp_path / "3", strange, WEIGHTS, models)
    broken = grams["b"] | {"two.weight": np.full((6, 6), np.nan)}
    with pytest.raises(UserError, match=r"b.safetensors: the Gram matrix of two.weight holds NaN or inf"):
        combine(tmp_path / "4", grams | {"b": broken}, WEIGHTS, models)

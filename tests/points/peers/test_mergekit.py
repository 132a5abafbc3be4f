"""Methods against mergekit 0.1.5, tensor by tensor: what its own code made of small models (``make_vectors.py``).

Where definitions agree, results are equal to float32 rounding, in units of 2**-24 of what is summed (``apart``):
mergekit computes in float32 and rounds after each operation, we sum in float64. Where definitions differ on purpose,
a test says how, and gets mergekit's number from ours.
"""

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.methods.recipes import under
from tests.points.methods.arrays import Arrays, displacements_of, method, tensor_of

HERE = Path(__file__).parent
CASES: Mapping[str, Mapping[str, Any]] = json.loads((HERE / "mergekit.json").read_text(encoding="utf-8"))["cases"]
VECTORS = load_file(HERE / "mergekit.safetensors")
Stage = tuple[str, dict[str, Any]]
Tensors = dict[str, np.ndarray]

SHAPES = ("vector", "square", "wide", "tall")
ELECT: Stage = ("elect", {})
MEAN: Stage = ("mean", {})


def trim(density: float) -> Stage:
    return ("magnitude", {"density": density, "over": "tensor"})


@functools.cache
def inputs(name: str) -> dict[str, Tensors]:
    """Model -> tensors of a set of inputs."""
    models: dict[str, Tensors] = {}
    for key, values in VECTORS.items():
        kind, *rest = key.split("/")
        if kind == "inputs" and rest[0] == name:
            models.setdefault(rest[1], {})[rest[2]] = values
    return models


def theirs(name: str) -> Tensors:
    """mergekit's result of a case, in float64."""
    return {tensor: VECTORS[f"{name}/{tensor}"].astype(np.float64) for tensor in CASES[name]["tensors"]}


def ours(name: str, stages: list[Stage], weights: Mapping[str, float], base: str | None = "base") -> Tensors:
    """Our weights for the inputs of a case, with these coefficients of models, in float64."""
    space = Arrays(inputs(CASES[name]["inputs"]), weights, base, chunk=64)
    # The space has the coefficients; a point only has what a sweep varies, here nothing.
    changed = under(method(*stages, base=base), Point.of({"a": 1}), space)
    return {tensor: tensor_of(changed, tensor) for tensor in CASES[name]["tensors"]}


def apart(name: str, found: Tensors) -> float:
    """The largest difference from mergekit's result of a case, in units of 2**-24 of the sum of all inputs' sizes."""
    models = inputs(CASES[name]["inputs"]).values()
    worst = 0.0
    for tensor, values in found.items():
        expected = theirs(name)[tensor]
        unit = 2.0**-24 * sum(np.abs(tensors[tensor].astype(np.float64)) for tensors in models)
        different = np.abs(values - expected)
        worst = max(worst, float(np.max(different / np.maximum(unit, np.finfo(np.float32).tiny))))
    return worst


def weights_of(name: str, total: float | None = None) -> dict[str, float]:
    """The weights of a case by model; scaled to sum to ``total`` if given, which is mergekit's lambda if normalized."""
    case = CASES[name]
    given = dict(zip(case["models"], case["parameters"]["weight"], strict=True))
    return given if total is None else {model: total * value / sum(given.values()) for model, value in given.items()}


def without_ties(found: Tensors) -> Tensors:
    """Without the tensor whose displacements are equal in size, among which a sort decides which are kept."""
    return {tensor: values for tensor, values in found.items() if tensor != "grid"}


@pytest.mark.parametrize(
    ("name", "total"), [("linear", 1), ("linear-extrapolated", None), ("linear-extrapolated-normalized", 1)]
)
def test_linear_is_a_point_without_a_method(name: str, total: float | None) -> None:
    """Largest difference 2.0 units. mergekit normalizes weights by default; a point's coefficients sum to 1."""
    assert apart(name, ours(name, [], weights_of(name, total), None)) < 4


def test_task_arithmetic_is_a_point_with_the_base_as_the_rest() -> None:
    """Largest difference 1.5 units. Their lambda times their weights, normalized if they are, are our coefficients."""
    lambda_ = CASES["task-arithmetic"]["parameters"]["lambda"]
    given = {model: lambda_ * weight for model, weight in weights_of("task-arithmetic").items()}
    assert apart("task-arithmetic", ours("task-arithmetic", [], given)) < 4
    name = "task-arithmetic-normalized"
    assert apart(name, ours(name, [], weights_of(name, 1))) < 4


@pytest.mark.parametrize("name", ["ties-d0.5", "ties-d0.2", "ties-lambda", "ties-int8", "ties-sum", "ties-mixed-sum"])
def test_ties_per_tensor(name: str) -> None:
    """Largest difference 2.8 units. Normalized weights times lambda are our coefficients under ``mean``; those that are
    not normalized are our coefficients without it, also negative ones. ``int8_mask`` changes nothing.
    """
    parameters = CASES[name]["parameters"]
    stages = [trim(parameters["density"]), ELECT]
    if parameters.get("normalize", True):
        found = ours(name, [*stages, MEAN], weights_of(name, parameters.get("lambda", 1)))
    else:
        found = ours(name, stages, weights_of(name))
    assert apart(name, without_ties(found)) < 4


def test_ties_without_trimming() -> None:
    """Largest difference 0.9 units, but where weighted displacements cancel (2 elements of 300).

    There the elected sign hangs on the rounding of a sum that is 0: 0.5 x 2 - 0.2 x 2 - 0.3 x 2, in float32 or float64.
    """
    found = ours("ties-d1", [trim(1), ELECT, MEAN], weights_of("ties-d1", 1))
    assert apart("ties-d1", without_ties(found)) < 4
    models = inputs("near")
    # Displacements of the grid are multiples of 2**-10, weights of 1/10: sums of whole numbers are exact.
    whole = sum(round(10 * weight) * models[model]["grid"] * 1024 for model, weight in weights_of("ties-d1").items())
    different = np.abs(found["grid"] - theirs("ties-d1")["grid"]) > 1e-6
    assert 0 < different.sum() < 10 and np.all(whole[different] == 0)


def test_trimming_keeps_as_many_where_sizes_are_equal() -> None:
    """The sizes that are kept are the same. Which of equal ones mergekit keeps is up to an unstable sort: 34 elements
    of 300 differ. We keep the first ones, so that masks are nested in the density.
    """
    found, expected = ours("ties-one", [trim(0.5), ELECT, MEAN], {"a": 1})["grid"], theirs("ties-one")["grid"]
    assert (found != expected).sum() == 34
    np.testing.assert_array_equal(np.sort(np.abs(found), axis=None), np.sort(np.abs(expected), axis=None))
    assert apart("ties-one", without_ties(ours("ties-one", [trim(0.5), ELECT, MEAN], {"a": 1}))) < 4


def test_trimming_counts_decimals() -> None:
    """At density 0.29 mergekit keeps 28 of 100, since 0.29 x 100 is 28.999... in binary; we keep 29.

    So up to three of 100 elements differ, by what was trimmed. At 0.28 ours are equal to theirs.
    """
    stages, weights = [ELECT, MEAN], weights_of("ties-decimal", 1)
    found = ours("ties-decimal", [trim(0.29), *stages], weights)
    elsewhere = {tensor: values for tensor, values in without_ties(found).items() if tensor != "vector"}
    assert apart("ties-decimal", elsewhere) < 4
    assert (np.abs(found["vector"] - theirs("ties-decimal")["vector"]) > 1e-6).sum() == 3
    assert apart("ties-decimal", {"vector": ours("ties-decimal", [trim(0.28), *stages], weights)["vector"]}) < 4


def test_trimming_may_keep_nothing() -> None:
    """At density 0.001 mergekit keeps one element of each tensor, we keep floor(0.001 n): none of these."""
    stages, weights = [ELECT, MEAN], weights_of("ties-none", 1)
    base = inputs("near")["base"]
    for tensor, values in without_ties(ours("ties-none", [trim(0.001), *stages], weights)).items():
        np.testing.assert_array_equal(values, base[tensor])
        one = ours("ties-none", [trim(round(1.5 / values.size, 6)), *stages], weights)
        assert apart("ties-none", {tensor: one[tensor]}) < 4


def test_the_mean_of_ties_with_negative_weights() -> None:
    """mergekit divides by the signed sum of the weights that take part, which may be small or negative: with the
    weights 0.6, -0.4 and 0.2 the results are up to 16 times the root mean square of a displacement apart.

    Our mean divides by the sum of their sizes, so that coefficients of either sign keep their meaning.
    """
    weights = weights_of("ties-mixed", 1)
    density = CASES["ties-mixed"]["parameters"]["density"]
    base = inputs("near")["base"]
    space = Arrays(inputs("near"), weights, "base")
    elected = under(method(trim(density), ELECT), Point.of({"a": 1}), space)
    signed, found = {}, ours("ties-mixed", [trim(density), ELECT, MEAN], weights)
    for tensor in without_ties(found):
        moved = displacements_of(elected, tensor)
        total = sum(weights[model] * values for model, values in moved.items())
        divisor = sum(weights[model] * (values != 0) for model, values in moved.items())
        signed[tensor] = base[tensor] + total / np.where(np.abs(divisor) < 1e-6, 1, divisor)
        sizes = sum(abs(weights[model]) * (values != 0) for model, values in moved.items())
        mean = base[tensor] + total * 3 / np.where(sizes == 0, 1, sizes)
        np.testing.assert_allclose(found[tensor], mean, rtol=1e-12)
    assert apart("ties-mixed", signed) < 8
    assert 0.01 < max(np.abs(found[tensor] - theirs("ties-mixed")[tensor]).max() for tensor in signed) < 0.02


def draws(name: str, stages: Callable[[int], list[Stage]], weights: Mapping[str, float]) -> np.ndarray:
    """Our result of a case of one tensor for as many seeds as mergekit drew: (draws, *shape), in float64."""
    (tensor,) = CASES[name]["tensors"]
    space = Arrays(inputs("drawn"), weights, "base", chunk=1024)
    chosen = [under(method(*stages(seed)), Point.of({"a": 1}), space) for seed in range(CASES[name]["draws"])]
    return np.stack([tensor_of(drawn, tensor) for drawn in chosen])


def chance(density: float, seed: int) -> Stage:
    return ("chance", {"density": density, "rescale": "inverse", "seed": seed})


def moment(name: str, which: str) -> np.ndarray:
    """A moment over mergekit's draws of a case, in float64."""
    return VECTORS[f"{name}/{which}"].astype(np.float64)


def same_in_expectation(name: str, found: np.ndarray, factor: float) -> float:
    """The largest difference of the means over our and their draws, in standard errors; theirs times ``factor``."""
    expected, spread = factor * moment(name, "mean"), factor * moment(name, "sd")
    error = np.sqrt((found.var(axis=0) + spread**2) / len(found))
    return float(np.max(np.abs(found.mean(axis=0) - expected) / error))


def test_dare_without_rescaling_has_our_expectation() -> None:
    """mergekit's mask with ``rescale: false`` and our ``inverse``, which is the paper's: theirs / density.

    Means of 2000 draws lie within 5 standard errors, as do the shares of draws that keep an element.
    """
    found = draws("dare-d0.5-plain", lambda seed: [chance(0.5, seed)], {"a": 1})
    assert same_in_expectation("dare-d0.5-plain", found, 1 / 0.5) < 5
    shares = (found != 0).mean(axis=0) - moment("dare-d0.5-plain", "kept")
    assert np.abs(shares).max() < 5 * (2 * 0.25 / len(found)) ** 0.5
    moved = inputs("drawn")["a"]["small"].astype(np.float64)
    assert np.abs(found.mean(axis=0) / moved - 1).max() < 5 * (1 / len(found)) ** 0.5


@pytest.mark.parametrize(("name", "bias"), [("dare-d0.5", 0.019), ("dare-d0.1", 0.019), ("dare-d0.01", 0.35)])
def test_dare_rescales_by_a_match_in_mergekit(name: str, bias: float) -> None:
    """By default mergekit scales what is kept to the L1 norm of the whole tensor, so its draws differ in size, and are
    too large on average: by 2 % with a standard deviation of 14 % for 768 elements at density 0.1, by 35 % at 0.01.

    The same match makes their draws of ours, which always have the factor 1 / density.
    """
    density = CASES[name]["parameters"]["density"]
    found = draws(name, lambda seed: [chance(density, seed)], {"a": 1})
    (tensor,) = CASES[name]["tensors"]
    moved = inputs("drawn")["a"][tensor].astype(np.float64)
    np.testing.assert_allclose(found[found != 0], np.broadcast_to(moved / density, found.shape)[found != 0], rtol=1e-12)
    kept = np.abs(found).reshape(len(found), -1).sum(axis=1)
    sizes = np.abs(moved).sum() / kept[kept > 0]
    theirs_mean, theirs_sd = CASES[name]["size_mean"], CASES[name]["size_sd"]
    error = ((sizes.var() + theirs_sd**2) / len(found)) ** 0.5
    assert abs(sizes.mean() - theirs_mean) < 5 * error
    assert theirs_mean - 1 == pytest.approx(bias, rel=0.05)


def test_dare_ties() -> None:
    """Signs are elected after the draw, in both. Means of 2000 draws lie within 5 standard errors: theirs has
    ``rescale: false`` and a lambda of 1 / density.
    """
    weights = weights_of("dare-ties-plain")
    found = draws("dare-ties-plain", lambda seed: [chance(0.5, seed), ELECT], weights)
    assert same_in_expectation("dare-ties-plain", found, 1) < 5
    assert found.std(axis=0) == pytest.approx(moment("dare-ties-plain", "sd"), rel=0.15, abs=1e-5)


def band(name: str, **changes: float) -> Stage:
    """The stage of a breadcrumbs case: mergekit's gamma is our drop_top."""
    parameters = CASES[name]["parameters"] | changes
    return ("band", {"density": parameters["density"], "drop_top": parameters["gamma"]})


@pytest.mark.parametrize("name", ["breadcrumbs", "breadcrumbs-deep", "breadcrumbs-ties"])
def test_breadcrumbs(name: str) -> None:
    """Largest difference 1.8 units. Weights are not normalized by default, so they are our coefficients."""
    elected = [ELECT] if CASES[name]["method"] == "breadcrumbs_ties" else []
    assert apart(name, without_ties(ours(name, [band(name), *elected], weights_of(name)))) < 4


def test_breadcrumbs_keeps_as_many_where_sizes_are_equal() -> None:
    """As in trimming: the sizes that are kept are the same, their places are not."""
    found = ours("breadcrumbs-one", [band("breadcrumbs-one")], {"a": 1})["grid"]
    expected = theirs("breadcrumbs-one")["grid"]
    np.testing.assert_array_equal(np.sort(np.abs(found), axis=None), np.sort(np.abs(expected), axis=None))


def test_breadcrumbs_counts_decimals() -> None:
    """With gamma 0.29 mergekit drops 28 of 100, we drop 29 (see ``test_trimming_counts_decimals``)."""
    name = "breadcrumbs-decimal"
    found = without_ties(ours(name, [band(name)], weights_of(name)))
    elsewhere = {tensor: values for tensor, values in found.items() if tensor != "vector"}
    assert apart(name, elsewhere) < 4
    # Each of three models loses its 29th largest, and keeps one more at the end of the band.
    assert (np.abs(found["vector"] - theirs(name)["vector"]) > 1e-6).sum() == 6
    assert apart(name, {"vector": ours(name, [band(name, gamma=0.28)], weights_of(name))["vector"]}) < 4


def test_breadcrumbs_over_one() -> None:
    """Where density and gamma sum to more than 1, mergekit drops fewer of the largest: at 0.9 and 0.2 as many as at 0.9
    and 0.1. We refuse.
    """
    name = "breadcrumbs-over"
    with pytest.raises(UserError, match="sum to more than 1"):
        ours(name, [band(name)], weights_of(name))
    found = without_ties(ours(name, [band(name, gamma=0.1)], weights_of(name)))
    # Elsewhere a tenth is no whole number.
    assert apart(name, {tensor: values for tensor, values in found.items() if values.size % 10 == 0}) < 4


SLERP: Stage = ("slerp", {})
KARCHER: Stage = ("karcher", {"iterations": 10, "tolerance": 1e-5})
STOCK: Stage = ("stock", {})
SCE: Stage = ("sce", {})
EQUAL = {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}


@pytest.mark.parametrize("name", ["slerp-far", "slerp-near", "slerp-end"])
def test_slerp_of_weights(name: str) -> None:
    """Largest difference 1.5 units. mergekit's base is the first of the two models; ours has no base."""
    t = CASES[name]["parameters"]["t"]
    weights = {"a": 1 - t, "b": t} if t < 1 else {"b": 1}
    assert apart(name, ours(name, [SLERP], weights, None)) < 4


def test_slerp_of_nearly_parallel_weights() -> None:
    """mergekit interpolates linearly where the cosine exceeds 0.9995, as it does here: displacements of 1e-4 between
    weights of 0.02. The arc is 2.8e-6 of the weights longer, 25 units. Ours is equal to theirs without a method.
    """
    t = CASES["slerp-close"]["parameters"]["t"]
    assert 10 < apart("slerp-close", ours("slerp-close", [SLERP], {"a": 1 - t, "b": t}, None)) < 40
    assert apart("slerp-close", ours("slerp-close", [], {"a": 1 - t, "b": t}, None)) < 4


@pytest.mark.parametrize("name", ["nuslerp-far", "nuslerp-base", "nuslerp-opposed"])
def test_nuslerp(name: str) -> None:
    """Largest difference 1.6 units. SLERP of displacements if there is a base, of weights if not; t is the share of the
    second weight.
    """
    assert apart(name, ours(name, [SLERP], weights_of(name, 1), CASES[name]["base"])) < 4


def test_nuslerp_of_rows() -> None:
    """With ``nuslerp_flatten: false`` mergekit goes row by row, 0.4 % of a tensor's norm from ours, which takes tensors
    as vectors. Row by row, ours is equal to theirs.
    """
    name = "nuslerp-rows"
    assert apart(name, ours(name, [SLERP], weights_of(name, 1))) > 1e5
    models = inputs("near")
    for tensor, expected in theirs(name).items():
        rows = {model: {str(row): values for row, values in enumerate(models[model][tensor])} for model in models}
        space = under(method(SLERP), Point.of({"a": 1}), Arrays(rows, weights_of(name, 1), "base"))
        found = np.stack([tensor_of(space, str(row)) for row in range(len(expected))])
        assert apart(name, {tensor: found}) < 4


@pytest.mark.parametrize("name", ["karcher-far", "karcher-far-two", "karcher-near", "karcher-opposed"])
def test_karcher(name: str) -> None:
    """Largest difference 4.7 units, with mergekit's 10 iterations and tolerance 1e-5; it takes no weights and no base.

    Its angles are float32, which cannot tell directions apart that are 3.5e-4 rad apart.
    """
    models = CASES[name]["models"]
    base = CASES[name]["base"]
    assert apart(name, ours(name, [KARCHER], {model: 1 / len(models) for model in models}, base)) < 8


def test_karcher_stops_early() -> None:
    """10 iterations and a tolerance of 1e-5 end 7.5e-6 of a tensor's norm before the mean, 75 units."""
    found = ours("karcher-far", [("karcher", {"iterations": 1000, "tolerance": 1e-12})], EQUAL, None)
    assert 40 < apart("karcher-far", found) < 120


@pytest.mark.parametrize("name", ["model-stock", "model-stock-third", "model-stock-two"])
def test_model_stock(name: str) -> None:
    """Largest difference 1.2 units. All models have the same weight."""
    models = CASES[name]["models"]
    assert apart(name, ours(name, [STOCK], {model: 1 / len(models) for model in models})) < 4


def test_model_stock_of_small_displacements() -> None:
    """mergekit divides by no less than 1e-6, also where norms multiply to less: displacements of 1e-5 in 576 elements
    have a cosine of 0.02 instead of 1/3, and t = 0.04 instead of 0.5. Ours is relative, the same at any size.
    """
    found, expected = ours("model-stock-tiny", [STOCK], {"a": 0.5, "b": 0.5}), theirs("model-stock-tiny")
    larger = ours("model-stock-two", [STOCK], {"a": 0.5, "b": 0.5})
    for tensor, values in found.items():
        # The base is 0, so results are t times the mean displacement.
        np.testing.assert_allclose(values, larger[tensor] / 100, rtol=1e-4)
        moved = [inputs("tiny")[model][tensor].astype(np.float64) for model in "ab"]
        cosine = (moved[0] * moved[1]).sum() / max(np.linalg.norm(moved[0]) * np.linalg.norm(moved[1]), 1e-6)
        t = 2 * cosine / (1 + cosine)
        assert t < 0.05
        np.testing.assert_allclose(expected[tensor], values * t / 0.5, rtol=1e-3, atol=1e-12)


def test_model_stock_of_opposed_displacements() -> None:
    """At a mean cosine of -0.3 of three models, mergekit's t is -2.25: away from all of them. Ours stays at 0."""
    found, expected = ours("model-stock-opposed", [STOCK], EQUAL), theirs("model-stock-opposed")
    for tensor, values in found.items():
        assert not values.any()
        mean = sum(inputs("opposed")[model][tensor].astype(np.float64) for model in "abc") / 3
        np.testing.assert_allclose(expected[tensor], -2.25 * mean, rtol=1e-4, atol=1e-9)


def test_model_stock_of_rows() -> None:
    """With ``filter_wise: true`` mergekit goes row by row, 0.9 % of a tensor's norm from ours, which takes tensors as
    vectors. Row by row, ours is equal to theirs.
    """
    name = "model-stock-rows"
    models = inputs("near")
    assert apart(name, ours(name, [STOCK], EQUAL)) > 1e5
    for tensor, expected in theirs(name).items():
        rows = {model: {str(row): values for row, values in enumerate(models[model][tensor])} for model in models}
        space = under(method(STOCK), Point.of({"a": 1}), Arrays(rows, EQUAL, "base"))
        found = np.stack([tensor_of(space, str(row)) for row in range(len(expected))])
        # Some rows have a mean cosine below 0, where ours stays at the base.
        same = np.array([stock_cosine(models, tensor, row) > 0 for row in range(len(expected))])
        assert apart(name, {tensor: np.where(same[:, None], found, expected)}) < 4 and same.mean() > 0.5


def stock_cosine(models: Mapping[str, Tensors], tensor: str, row: int) -> float:
    """The mean pairwise cosine of the displacements of a row."""
    base = models["base"][tensor][row].astype(np.float64)
    units = [(models[model][tensor][row] - base) / np.linalg.norm(models[model][tensor][row] - base) for model in "abc"]
    return float(np.mean([units[0] @ units[1], units[0] @ units[2], units[1] @ units[2]]))


@pytest.mark.parametrize("name", ["sce", "sce-half"])
def test_sce(name: str) -> None:
    """Largest difference 0.9 units. mergekit selects among positions that vary at all: so of a tensor that is the same
    in all models it keeps none, and we floor(0.5 n).
    """
    select = CASES[name]["parameters"].get("select_topk", 1)
    found = ours(name, [("variance", {"density": select}), SCE], EQUAL)
    assert apart(name, {tensor: values for tensor, values in found.items() if tensor != "equal"}) < 4


@pytest.mark.parametrize("name", ["sce-tenth", "sce-tiny"])
def test_sce_of_small_displacements(name: str) -> None:
    """mergekit weighs all models the same where their mean squares sum to less than 1e-6, in what is selected: at
    displacements of 1e-5, and even at 1e-3 where a tenth is. Results are 2 % of the weights apart. Ours is relative.

    Equal weights of what is selected are our election and mean.
    """
    select = ("variance", {"density": CASES[name]["parameters"]["select_topk"]})
    tensors = set(SHAPES)
    weighted, even = ours(name, [select, SCE], EQUAL), ours(name, [select, ELECT, MEAN], EQUAL)
    assert apart(name, {tensor: values for tensor, values in weighted.items() if tensor in tensors}) > 1e4
    assert apart(name, {tensor: values for tensor, values in even.items() if tensor in tensors}) < 4


@pytest.mark.parametrize("name", ["della-plain", "della-flat"])
def test_della_without_rescaling_keeps_as_often(name: str) -> None:
    """Ranks go by row in both. Shares of 2000 draws that keep an element lie within 5 standard errors, and so do means,
    if mergekit's are divided by the probability, which it does not do itself.
    """
    parameters = CASES[name]["parameters"]
    density, epsilon = parameters["density"], parameters["epsilon"]
    found = draws(name, lambda seed: [("rank", {"density": density, "epsilon": epsilon, "seed": seed})], {"a": 1})
    shares, kept = (found != 0).mean(axis=0), moment(name, "kept")
    assert np.abs(shares - kept).max() < 5 * (2 * 0.25 / len(found)) ** 0.5
    moved = inputs("drawn")["a"][CASES[name]["tensors"][0]].astype(np.float64)
    order = np.argsort(np.argsort(np.abs(moved), axis=-1), axis=-1)
    probability = density - epsilon + 2 * epsilon * order / (moved.shape[-1] - 1)
    assert same_in_expectation(name, found, 1 / probability) < 5
    assert np.abs(kept - probability).max() < 5 * (0.25 / len(found)) ** 0.5


def test_della_rescales_by_a_match_in_mergekit() -> None:
    """By default mergekit scales what is kept to the L1 norm of the whole tensor. So its expectation is not the
    displacement: the small ones, which are kept less often, come out at 0.65 of their size, the largest at 1.14.
    """
    moved = inputs("drawn")["a"]["small"].astype(np.float64)
    order = np.argsort(np.argsort(np.abs(moved), axis=1), axis=1)
    settings = {"density": 0.5, "epsilon": 0.15}
    found = draws("della", lambda seed: [("rank", settings | {"seed": seed})], {"a": 1})
    ratios, expected = found.mean(axis=0) / moved, moment("della", "mean") / moved
    for rank, size in ((0, 0.65), (15, 1.14)):
        assert expected[order == rank].mean() == pytest.approx(size, abs=0.02)
        assert ratios[order == rank].mean() == pytest.approx(1, abs=0.05)

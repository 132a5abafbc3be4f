"""What mergekit 0.1.5 makes of small models: mergekit.safetensors and mergekit.json, which ``test_mergekit.py`` reads.

The tests need no mergekit. Run this by hand, in the environment of the peers, only when cases are added:

    make .venv-peers/installed
    .venv-peers/bin/python tests/points/peers/make_vectors.py

mergekit's own code computes every vector (``mergekit.merge_methods.api.merge_tensors``, which its command calls with
the same kernels), in float32 on a CPU. Inputs come from NumPy's generator alone and are in the file, too.

In the tensors: ``inputs/<set>/<model>/<tensor>`` and ``<case>/<tensor>``, float32. Of methods that draw, there are the
moments of ``DRAWS`` draws instead: ``<case>/mean``, ``<case>/sd``, ``<case>/kept`` (share of draws that keep the
element). In the JSON: the versions, and for each case its method, set of inputs, models in order, base, parameters as
in a mergekit configuration, and tensors; of drawn ones also the mean and the standard deviation of the whole tensor's
size relative to an unbiased draw (``size_mean``, ``size_sd``).
"""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mergekit.merge_methods.api import merge_tensors
from safetensors.numpy import save_file

HERE = Path(__file__).parent
DRAWS = 2000
SHAPES = {"vector": (100,), "square": (24, 24), "wide": (16, 40), "tall": (40, 16)}
Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """One configuration; ``tensors`` are names of the set's tensors, all unless given."""

    method: str
    inputs: str
    models: tuple[str, ...]
    base: str | None
    parameters: Mapping[str, Any]
    tensors: tuple[str, ...] = ()


def near() -> dict[str, Tensors]:
    """Three models fine-tuned from a base: displacements of 1e-3, a fifth of them shared, weights of 0.02.

    ``grid`` has ties and zeros: displacements are multiples of 2**-10 from -3 to 3 of them, so all sums are exact.
    ``still`` did not move in model a. ``equal`` is the same in all models, not in the base.
    """
    random = np.random.default_rng(1)
    base = {name: 0.02 * random.standard_normal(shape) for name, shape in SHAPES.items()}
    base |= {"grid": np.zeros((12, 25)), "still": 0.02 * random.standard_normal(20)}
    base["equal"] = 0.02 * random.standard_normal((5, 6))
    shared = {name: random.standard_normal(values.shape) for name, values in base.items()}
    models = {}
    for model in "abc":
        moved = {
            name: values + 1e-3 * (0.2**0.5 * shared[name] + 0.8**0.5 * random.standard_normal(values.shape))
            for name, values in base.items()
        }
        moved["grid"] = random.integers(-3, 4, (12, 25)) * 2.0**-10
        moved["equal"] = base["equal"] + 1e-3 * shared["equal"]
        models[model] = moved
    models["a"]["still"] = base["still"]
    return {"base": base, **models}


def close() -> dict[str, Tensors]:
    """Two models that are nearly parallel: weights of 0.02, apart by 1e-4, so cosines are above 0.9995."""
    random = np.random.default_rng(6)
    one = {name: 0.02 * random.standard_normal(shape) for name, shape in SHAPES.items()}
    return {"a": one, "b": {name: values + 1e-4 * random.standard_normal(values.shape) for name, values in one.items()}}


def far() -> dict[str, Tensors]:
    """Three models trained apart, of norms that differ: 1 to 3 to 2."""
    random = np.random.default_rng(2)
    norms = {"a": 0.01, "b": 0.03, "c": 0.02}
    return {
        model: {name: norm * random.standard_normal(shape) for name, shape in SHAPES.items()}
        for model, norm in norms.items()
    }


def arranged(seed: int, size: float, cosine: float) -> dict[str, Tensors]:
    """Three models whose displacements have root mean square ``size`` and pairwise cosines ``cosine``, base zero."""
    random = np.random.default_rng(seed)
    root = np.linalg.cholesky(np.full((3, 3), cosine) + (1 - cosine) * np.eye(3))
    models: dict[str, Tensors] = {model: {} for model in "abc"}
    for name, shape in SHAPES.items():
        count = int(np.prod(shape))
        orthogonal, _ = np.linalg.qr(random.standard_normal((count, 3)))
        for model, moved in zip("abc", root @ orthogonal.T, strict=True):
            models[model][name] = size * count**0.5 * moved.reshape(shape)
    return {"base": {name: np.zeros(shape) for name, shape in SHAPES.items()}, **models}


def drawn() -> dict[str, Tensors]:
    """For methods that draw: ``small`` of 6 rows of 16, and ``flat`` of 768; base zero, displacements of 1e-3."""
    random = np.random.default_rng(5)
    shapes = {"small": (6, 16), "flat": (768,)}
    return {
        "base": {name: np.zeros(shape) for name, shape in shapes.items()},
        **{m: {name: 1e-3 * random.standard_normal(shape) for name, shape in shapes.items()} for m in "abc"},
    }


SETS = {
    "near": near(),
    "far": far(),
    "close": close(),
    "third": arranged(3, 1e-3, 1 / 3),
    "tiny": arranged(3, 1e-5, 1 / 3),
    "opposed": arranged(4, 1e-3, -0.3),
    "drawn": drawn(),
}

THREE = ("a", "b", "c")
WEIGHTS = {"weight": [0.5, 0.2, 0.3]}
MIXED = {"weight": [0.6, -0.4, 0.2]}
NO_TIES = (*SHAPES, "still", "equal")
"""Tensors of ``near`` without equal magnitudes, in which a sort decides."""


def _ties(**parameters: Any) -> Case:
    return Case("ties", "near", THREE, "base", parameters)


def _breadcrumbs(method: str = "breadcrumbs", **parameters: Any) -> Case:
    return Case(method, "near", THREE, "base", {"weight": [1, 1, 1], **parameters})


CASES = {
    "linear": Case("linear", "near", THREE, None, {"weight": [1, 2, 5]}),
    "linear-extrapolated": Case("linear", "near", ("a", "b"), None, {"weight": [1.5, -0.5], "normalize": False}),
    "linear-extrapolated-normalized": Case("linear", "near", ("a", "b"), None, {"weight": [1.5, -1]}),
    "task-arithmetic": Case("task_arithmetic", "near", THREE, "base", {**MIXED, "lambda": 1.5}),
    "task-arithmetic-normalized": Case("task_arithmetic", "near", THREE, "base", {**WEIGHTS, "normalize": True}),
    "ties-d1": _ties(**WEIGHTS),
    "ties-d0.5": _ties(**WEIGHTS, density=0.5),
    "ties-d0.2": _ties(weight=[1, 1, 1], density=0.2),
    "ties-one": Case("ties", "near", ("a",), "base", {"weight": [1], "density": 0.5}),
    "ties-lambda": _ties(**WEIGHTS, **{"density": 0.2, "lambda": 1.3}),
    "ties-int8": _ties(**WEIGHTS, density=0.5, int8_mask=True),
    "ties-sum": _ties(**WEIGHTS, density=0.5, normalize=False),
    "ties-mixed-sum": _ties(**MIXED, density=0.5, normalize=False),
    "ties-mixed": _ties(**MIXED, density=0.5),
    "ties-decimal": _ties(weight=[1, 1, 1], density=0.29),
    "ties-none": _ties(weight=[1, 1, 1], density=0.001),
    "breadcrumbs": _breadcrumbs(density=0.9, gamma=0.01),
    "breadcrumbs-deep": _breadcrumbs(density=0.5, gamma=0.05),
    "breadcrumbs-one": Case(
        "breadcrumbs", "near", ("a",), "base", {"weight": [1], "density": 0.5, "gamma": 0.05}, ("grid",)
    ),
    "breadcrumbs-ties": _breadcrumbs("breadcrumbs_ties", density=0.5, gamma=0.05),
    "breadcrumbs-decimal": _breadcrumbs(density=0.4, gamma=0.29),
    "breadcrumbs-over": _breadcrumbs(density=0.9, gamma=0.2),
    "slerp-far": Case("slerp", "far", ("a", "b"), "a", {"t": 0.3}),
    "slerp-near": Case("slerp", "near", ("a", "b"), "a", {"t": 0.3}),
    "slerp-close": Case("slerp", "close", ("a", "b"), "a", {"t": 0.3}),
    "slerp-end": Case("slerp", "far", ("a", "b"), "a", {"t": 1}),
    "nuslerp-far": Case("nuslerp", "far", ("a", "b"), None, {"weight": [0.7, 0.3]}),
    "nuslerp-base": Case("nuslerp", "near", ("a", "b"), "base", {"weight": [0.7, 0.3]}, (*SHAPES, "grid", "equal")),
    "nuslerp-rows": Case(
        "nuslerp", "near", ("a", "b"), "base", {"weight": [0.7, 0.3], "nuslerp_flatten": False}, ("wide", "tall")
    ),
    "nuslerp-opposed": Case("nuslerp", "opposed", ("a", "b"), "base", {"weight": [0.5, 0.5]}),
    "karcher-far": Case("karcher", "far", THREE, None, {}),
    "karcher-far-two": Case("karcher", "far", ("a", "b"), None, {}),
    "karcher-near": Case("karcher", "near", THREE, None, {}, (*SHAPES, "still")),
    "karcher-opposed": Case("karcher", "opposed", THREE, None, {}),
    "model-stock": Case("model_stock", "near", THREE, "base", {}),
    "model-stock-third": Case("model_stock", "third", THREE, "base", {}),
    "model-stock-two": Case("model_stock", "third", ("a", "b"), "base", {}),
    "model-stock-tiny": Case("model_stock", "tiny", ("a", "b"), "base", {}),
    "model-stock-opposed": Case("model_stock", "opposed", THREE, "base", {}),
    "model-stock-rows": Case("model_stock", "near", THREE, "base", {"filter_wise": True}, ("wide", "tall")),
    "sce": Case("sce", "near", THREE, "base", {}),
    "sce-half": Case("sce", "near", THREE, "base", {"select_topk": 0.5}, NO_TIES),
    "sce-tenth": Case("sce", "near", THREE, "base", {"select_topk": 0.1}, NO_TIES),
    "sce-tiny": Case("sce", "tiny", THREE, "base", {"select_topk": 0.5}),
}

ONE = {"weight": [1]}
DRAWN = {
    "dare-d0.5": Case("dare_linear", "drawn", ("a",), "base", {**ONE, "density": 0.5}, ("small",)),
    "dare-d0.5-plain": Case(
        "dare_linear", "drawn", ("a",), "base", {**ONE, "density": 0.5, "rescale": False}, ("small",)
    ),
    "dare-d0.1": Case("dare_linear", "drawn", ("a",), "base", {**ONE, "density": 0.1}, ("flat",)),
    "dare-d0.01": Case("dare_linear", "drawn", ("a",), "base", {**ONE, "density": 0.01}, ("flat",)),
    "dare-ties-plain": Case(
        "dare_ties", "drawn", THREE, "base", {**WEIGHTS, "density": 0.5, "rescale": False, "lambda": 2}, ("small",)
    ),
    "della-plain": Case(
        "della_linear", "drawn", ("a",), "base", {**ONE, "density": 0.5, "epsilon": 0.15, "rescale": False}, ("small",)
    ),
    "della": Case("della_linear", "drawn", ("a",), "base", {**ONE, "density": 0.5, "epsilon": 0.15}, ("small",)),
    "della-flat": Case(
        "della_linear", "drawn", ("a",), "base", {**ONE, "density": 0.3, "epsilon": 0.2, "rescale": False}, ("flat",)
    ),
}
"""Each of one tensor."""


def merged(case: Case, tensor: str, inputs: Mapping[str, Tensors]) -> np.ndarray:
    """What mergekit makes of one tensor, float32."""
    # mergekit's slerp counts the base among its two inputs; the base of all other methods is one more.
    ids = list(case.models) if case.base is None or case.base in case.models else [case.base, *case.models]
    tensors = [torch.from_numpy(inputs[model][tensor]) for model in ids]
    base = None if case.base is None else ids.index(case.base)
    return merge_tensors(tensors, case.method, parameters=_by_model(case), ids=ids, base_index=base).numpy()


def _by_model(case: Case) -> dict[str, Any]:
    """The parameters, lists as one value for each model."""
    return {
        key: dict(zip(case.models, value, strict=True)) if isinstance(value, list) else value
        for key, value in case.parameters.items()
    }


def moments(case: Case, inputs: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, float]]:
    """Moments of each element over ``DRAWS`` draws (base zero), and of the tensor's size relative to an unbiased draw.

    A draw's size is the factor on kept elements of the first model times the density: 1 where a kept element is
    divided by the density, as in the paper.
    """
    torch.manual_seed(0)
    (tensor,) = case.tensors
    draws = np.stack([merged(case, tensor, inputs) for _ in range(DRAWS)]).astype(np.float64)
    result = {"mean": draws.mean(axis=0), "sd": draws.std(axis=0), "kept": (draws != 0).mean(axis=0)}
    if len(case.models) > 1:
        return result, {}
    values = inputs[case.models[0]][tensor].astype(np.float64)
    with np.errstate(invalid="ignore"):
        factors = np.nanmax(np.where(draws != 0, draws / values, np.nan).reshape(DRAWS, -1), axis=1)
    sizes = factors * case.parameters["density"]
    return result, {"size_mean": float(np.nanmean(sizes)), "size_sd": float(np.nanstd(sizes))}


def _record(case: Case, tensors: Sequence[str]) -> dict[str, Any]:
    return {
        "method": case.method,
        "inputs": case.inputs,
        "models": list(case.models),
        "base": case.base,
        "parameters": dict(case.parameters),
        "tensors": list(tensors),
    }


def main() -> None:
    sets = {
        name: {
            model: {tensor: values.astype(np.float32) for tensor, values in tensors.items()}
            for model, tensors in of.items()
        }
        for name, of in SETS.items()
    }
    vectors = {
        f"inputs/{name}/{model}/{tensor}": values
        for name, of in sets.items()
        for model, tensors in of.items()
        for tensor, values in tensors.items()
    }
    records = {}
    for name, case in CASES.items():
        inputs = sets[case.inputs]
        tensors = case.tensors or tuple(inputs[case.models[0]])
        records[name] = _record(case, tensors)
        vectors |= {f"{name}/{tensor}": merged(case, tensor, inputs) for tensor in tensors}
    for name, case in DRAWN.items():
        found, sizes = moments(case, sets[case.inputs])
        records[name] = _record(case, case.tensors) | {"draws": DRAWS} | sizes
        vectors |= {f"{name}/{moment}": values.astype(np.float32) for moment, values in found.items()}
    versions = {package: version(package) for package in ("mergekit", "torch", "numpy")}
    page = {"python": platform.python_version(), "versions": versions, "cases": records}
    save_file({name: np.ascontiguousarray(values) for name, values in vectors.items()}, HERE / "mergekit.safetensors")
    (HERE / "mergekit.json").write_text(json.dumps(page, indent=1) + "\n", encoding="utf-8")
    size = (HERE / "mergekit.safetensors").stat().st_size
    print(f"{len(records)} cases, {len(vectors)} tensors, {size} bytes")


if __name__ == "__main__":
    main()

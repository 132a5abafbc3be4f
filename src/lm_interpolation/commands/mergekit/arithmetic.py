"""Task arithmetic and what trims displacements or elects signs: ties, dare, breadcrumbs, della."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from lm_interpolation.commands.mergekit.files import Reference
from lm_interpolation.commands.mergekit.fragments import Fragment, number
from lm_interpolation.commands.mergekit.methods import METHODS
from lm_interpolation.commands.mergekit.parameters import resolve, settings
from lm_interpolation.commands.mergekit.tensors import Tensor
from lm_interpolation.commands.mergekit.translation import DENSITY, GAMMA, ONE, Translation, Weights


def arithmetic(work: Translation) -> Fragment | None:
    merge, method = work.merge, METHODS[work.merge.method]
    assert merge.base is not None
    weights = work.weights(merge.others)
    for model in [model for model, of in weights.items() if not any(of.values())]:
        work.notes.append(f"{model} has the weight 0 everywhere and takes no part.")
        del weights[model]
    if not weights:
        work.problems.append("weight: all weights are 0, so the result is the base; give others")
        return None
    normalized = bool(work.value("normalize"))
    signs = {value > 0 for of in weights.values() for value in of.values() if value}
    if normalized and method.elects and len(signs) > 1:
        work.problems.append(
            f"weight: with weights of both signs, {merge.method} divides by their sum (normalize: true), and here "
            "a mean divides by that of their sizes; set normalize: false"
        )
    scale = METHODS[merge.method].parameter("lambda")
    products: dict[Reference, dict[Tensor, Fraction]] = {model: {} for model in weights}
    for tensor in work.tensors:
        total = sum((of[tensor] for of in weights.values()), Fraction(0))
        factor = Fraction(resolve(merge, scale, tensor)) / (total if normalized and total else ONE)
        for model, of in weights.items():
            products[model][tensor] = of[tensor] * factor
    stages = {**_keep(work, weights), **_elect(work, normalized)}
    grid: dict[str, Sequence[Fraction]] = {"gamma": GAMMA}
    at = {"gamma": ONE}
    if method.keeps:
        at["density"] = work.shared("density", weights)
        grid["density"] = _densities(work, stages["keep"], at["density"])
    found = work.split(products)
    if not found:
        return None
    coefficients, made = found
    _explain_weights(work, normalized)
    under = {"base": merge.base, **stages} if stages or made else {}
    return Fragment(merge.base, "gamma", coefficients, grid, at, under, made)


def _explain_weights(work: Translation, normalized: bool) -> None:
    if normalized:
        work.notes.append("Weights are divided by their sum, which mergekit does by itself (normalize: true).")
    if any(setting is not None for setting in settings(work.merge, "lambda")):
        work.notes.append("lambda is multiplied into the coefficients; gamma, swept here, is one more such factor.")


def _keep(work: Translation, weights: Weights) -> dict[str, Any]:
    method = METHODS[work.merge.method]
    if method.keeps is None:
        return {}
    rescaled = bool(work.value("rescale"))
    keep: dict[str, Any] = {"by": method.keeps, "density": "density"}
    note = "density is the share that is kept."
    if method.keeps == "magnitude":
        keep["over"] = "tensor"
        work.notes.append(
            f"{note} It is counted tensor by tensor, as in mergekit; over: model counts over the whole model, as the "
            "TIES paper does. mergekit keeps one element at least of each tensor."
        )
    elif method.keeps == "band":
        keep["drop_top"] = work.shared("gamma", weights)
        work.notes.append(f"{note} gamma of mergekit is drop_top here; gamma here is a factor of the coefficients.")
        density = work.shared("density", weights)
        if density + keep["drop_top"] > 1:
            keep["drop_top"] = max(1 - density, Fraction(0))
            work.notes.append("density + gamma exceed 1, where mergekit drops fewer of the largest: drop_top is lower.")
    else:
        work.notes.append(
            f"{note} (The papers give the share that is dropped.) What is kept is divided by its probability, as in "
            "the paper; mergekit matches the sum of sizes of each tensor instead. Masks differ, expectations agree."
        )
    if method.keeps == "chance":
        keep |= {"rescale": "inverse" if rescaled else "none", "seed": 0}
    if method.keeps == "rank":
        keep |= {"epsilon": work.shared("epsilon", weights), "seed": 0}
        work.notes.append("Ranks are those within the inputs of one output; mergekit ranks along the last axis.")
    if rescaled and method.keeps in ("magnitude", "band"):
        work.problems.append("rescale: displacements kept by size are not rescaled here; set it to false")
    if not rescaled and method.keeps == "rank":
        work.problems.append("rescale: della divides by the probability here, always; set it to true")
    return {"keep": keep}


def _elect(work: Translation, normalized: bool) -> dict[str, Any]:
    if not METHODS[work.merge.method].elects:
        return {}
    return {"elect": "sum", "combine": "mean" if normalized else "sum"}


def _densities(work: Translation, keep: Mapping[str, Any], density: Fraction) -> list[Fraction]:
    """Densities around that of the configuration which the method allows."""
    if not 0 <= density <= 1:
        work.problems.append(f"density: is {number(density)}; give a share between 0 and 1")
        return []
    if density == 0 and keep["by"] != "magnitude":
        work.problems.append("density: is 0, so nothing is kept and the result is the base; give more than 0")
        return []
    if keep["by"] == "band":
        return sorted({density, *(value for value in DENSITY if value + keep["drop_top"] <= 1)})
    if keep["by"] == "rank":
        epsilon = keep["epsilon"]
        allowed = [value for value in {density, *DENSITY} if value == 1 or epsilon < value < 1 - epsilon]
        if density not in allowed:
            work.problems.append(
                f"density: {number(density)} with epsilon {number(epsilon)} leaves the open interval from 0 to 1, "
                "which mergekit refuses; give others"
            )
        return sorted(allowed)
    return sorted({density, *DENSITY})

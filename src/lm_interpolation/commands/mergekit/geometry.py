"""slerp, nuslerp, model_stock, sce and karcher: combinations other than sums."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from lm_interpolation.commands.mergekit.files import Reference
from lm_interpolation.commands.mergekit.fragments import Fragment, number
from lm_interpolation.commands.mergekit.methods import METHODS
from lm_interpolation.commands.mergekit.parameters import resolve, settings
from lm_interpolation.commands.mergekit.tensors import Tensor
from lm_interpolation.commands.mergekit.translation import DENSITY, GAMMA, ONE, SHARES, Translation, several


def slerp(work: Translation) -> Fragment | None:
    merge = work.merge
    assert merge.base is not None
    if len(merge.models) != 2:
        work.problems.append(f"slerp: takes a base_model and one other model, not {len(merge.models)} models")
        return None
    work.all_models_everywhere()
    parameter = METHODS["slerp"].parameter("t")
    return _arc(work, merge.base, merge.others[0], {t: Fraction(resolve(merge, parameter, t)) for t in work.tensors})


def nuslerp(work: Translation) -> Fragment | None:
    merge = work.merge
    if len(merge.others) != 2:
        work.problems.append(f"nuslerp: takes two models besides a base, not {len(merge.others)}")
        return None
    work.all_models_everywhere()
    for name, right in (("nuslerp_row_wise", False), ("nuslerp_flatten", True)):
        if bool(work.value(name)) != right and not (name == "nuslerp_row_wise" and work.value("nuslerp_flatten")):
            work.problems.append(f"{name}: the arc is that of whole tensors here; set it to {str(right).lower()}")
    weights = work.weights(merge.others)
    first, second = merge.others
    shares = {}
    for tensor in work.tensors:
        total = weights[first][tensor] + weights[second][tensor]
        shares[tensor] = weights[second][tensor] / total if abs(total) >= Fraction(1, 10**6) else Fraction(1, 2)
    return _arc(work, first, second, shares)


def _arc(work: Translation, first: Reference, second: Reference, shares: Mapping[Tensor, Fraction]) -> Fragment | None:
    """The arc from ``first`` to ``second``: of weights, or of displacements from a base that is neither of them."""
    base = work.merge.base if work.merge.base not in (None, first) else None
    if not all(0 <= share <= 1 for share in shares.values()):
        work.problems.append(
            f"t: is {several(set(shares.values()))}, and an arc is defined here between its ends; give 0 to 1"
        )
        return None
    if len(set(shares.values())) > 1:
        if base:
            work.problems.append(
                "weight: varies over tensors, and the arc between displacements has one place for all; give one"
            )
            return None
        work.notes.append(
            "The place on the arc varies over tensors, which a method cannot say: this is the straight line instead, "
            "tensor by tensor. mergekit itself goes straight where the cosine of two tensors exceeds 0.9995, as that "
            "of models fine-tuned from one base nearly always does."
        )
        found = work.split({second: shares})
        if found is None:
            return None
        return Fragment(first, "gamma", found[0], {"gamma": GAMMA}, {"gamma": ONE}, {"base": first}, found[1])
    share = next(iter(shares.values()))
    work.notes.append("The arc is exact here; mergekit goes straight where the cosine of two tensors exceeds 0.9995.")
    grid = {"share": sorted({*SHARES, share})}
    under: dict[str, Any] = {"base": base} if base else {}
    return Fragment(first, "share", {second: ONE}, grid, {"share": share}, {**under, "combine": "slerp"})


def model_stock(work: Translation) -> Fragment | None:
    merge = work.merge
    assert merge.base is not None
    if len(merge.others) < 2:
        work.problems.append("model_stock: needs two models at least besides the base; add one")
        return None
    work.all_models_everywhere()
    if work.value("filter_wise"):
        work.problems.append("filter_wise: the ratio is that of whole tensors here; set it to false")
    work.notes.append("The ratio t stays between 0 and 1, unlike mergekit's; small displacements count fully.")
    return _equal(work, merge.base, {"base": merge.base, "combine": "stock"})


def sce(work: Translation) -> Fragment | None:
    merge = work.merge
    assert merge.base is not None
    if not merge.others:
        work.problems.append("sce: needs models besides the base; add some")
        return None
    work.all_models_everywhere()
    share = Fraction(work.value("select_topk"))
    if not 0 < share <= 1:
        work.problems.append(f"select_topk: is {number(share)}; give a share above 0 and at most 1")
    work.notes.append("select_topk is the density of keep, of all positions; mergekit counts those that vary at all.")
    settings = {"base": merge.base, "keep": {"by": "variance", "density": "density"}, "combine": "sce"}
    fragment = _equal(work, merge.base, settings)
    fragment.grid = {**fragment.grid, "density": sorted({share, *DENSITY})}
    fragment.at = {**fragment.at, "density": share}
    return fragment


def _equal(work: Translation, base: Reference, under: dict[str, Any]) -> Fragment:
    weights = {model: Fraction(1, len(work.merge.others)) for model in work.merge.others}
    return Fragment(base, "gamma", weights, {"gamma": GAMMA}, {"gamma": ONE}, under)


def karcher(work: Translation) -> Fragment | None:
    models = work.merge.models
    if len(models) < 2:
        work.problems.append("karcher: needs two models at least; add one")
        return None
    work.all_models_everywhere()
    if work.merge.base:
        work.notes.append("mergekit takes base_model as one more model of the mean.")
    combine: dict[str, Any] = {"by": "karcher"}
    for name, here in (("max_iter", "iterations"), ("tol", "tolerance")):
        if any(setting is not None for setting in settings(work.merge, name)):
            combine[here] = work.value(name)
    first, *others = models
    weights = {model: Fraction(1, len(models)) for model in others}
    grid = [Fraction(0), Fraction(1, 2), ONE]
    return Fragment(
        first,
        "share",
        weights,
        {"share": grid},
        {"share": ONE},
        {"combine": "karcher" if len(combine) == 1 else combine},
    )

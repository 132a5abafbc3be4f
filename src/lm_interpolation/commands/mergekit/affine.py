"""linear and passthrough: weights that sum to 1, as a line between models."""

from fractions import Fraction

from lm_interpolation.commands.mergekit.fragments import Fragment, number
from lm_interpolation.commands.mergekit.parameters import settings
from lm_interpolation.commands.mergekit.translation import GAMMA, ONE, SHARES, Translation, Weights


def linear(work: Translation) -> Fragment | None:
    merge = work.merge
    if merge.method == "passthrough":
        return _passthrough(work)
    weights = work.weights(merge.models)
    totals = {tensor: sum((of[tensor] for of in weights.values()), Fraction(0)) for tensor in work.tensors}
    if work.value("normalize"):
        if zero := next((tensor for tensor, total in totals.items() if total == 0), None):
            work.problems.append(
                f"weight: the weights of {zero.name} sum to 0, and mergekit divides by the sum; set "
                "normalize: false, or give others"
            )
            return None
        if any(total != 1 for total in totals.values()):
            work.notes.append("Weights are divided by their sum, which mergekit does by itself (normalize: true).")
    elif wrong := next(((tensor, total) for tensor, total in totals.items() if total != 1), None):
        work.problems.append(
            f"weight: without normalize the weights of {wrong[0].name} sum to {number(wrong[1])}, and here "
            "coefficients sum to 1; use normalize: true, or task_arithmetic with a base_model"
        )
        return None
    return _affine(work, {m: {t: of[t] / totals[t] for t in of} for m, of in weights.items()})


def _passthrough(work: Translation) -> Fragment | None:
    merge = work.merge
    if any(setting is not None for setting in settings(merge, "scale")):
        work.problems.append("scale: coefficients here sum to 1, so a tensor cannot be scaled by itself; remove it")
    for index, piece in enumerate(merge.pieces):
        if len(piece.sources) > 1:
            work.problems.append(f"slices.{index}: passthrough takes one model; give one")
    if len(merge.models) < 2:
        work.problems.append("passthrough: copies one model, so there is nothing to sweep; add another")
    if work.problems:
        return None
    work.notes.append("Each block is that of one model: a weight of 1 or 0.")
    return _affine(work, {m: {t: ONE * work.takes(m, t) for t in work.tensors} for m in merge.models})


def _affine(work: Translation, weights: Weights) -> Fragment | None:
    """Weights that sum to 1 in each tensor: a line between models, or under a method that scales displacements."""
    used = {model: of for model, of in weights.items() if any(of.values())}
    if len(used) < 2:
        work.problems.append("weight: only one model has a weight, so there is nothing to sweep; give others one")
        return None
    before = list(work.problems)
    # Any model may be the one that the others are displacements from.
    for origin in used:
        others = {model: of for model, of in used.items() if model != origin}
        if found := work.split(others):
            break
    else:
        return None
    work.problems[:] = before
    coefficients, made = found
    if len(others) > 1 or made:
        under = {"base": origin} if made else {}
        return Fragment(origin, "gamma", coefficients, {"gamma": GAMMA}, {"gamma": ONE}, under, made)
    ((model, share),) = coefficients.items()
    return Fragment(origin, "share", {model: ONE}, {"share": sorted({*SHARES, share})}, {"share": share})

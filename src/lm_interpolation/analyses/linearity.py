"""How linear is a model around theta0? Its first-order Taylor expansion over a plane (arXiv 2211.12092, section 5).

On the plane theta(a, b) = theta0 + a d1 + b d2 (Eq. 4: d1 = theta+ - theta0, d2 = theta- - theta0), a function f of the
weights is compared with T(a, b) = f(theta0) + a C1 + b C2 (Eq. 5), where C_k = J d_k is the derivative of f at theta0
along d_k. The derivatives are exact (forward-mode differentiation, ``torch.func.jvp``), not fitted to the plane.
"""

import math
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import torch

from lm_interpolation.analyses.next_tokens import (
    check_context,
    check_words,
    encode_prompt,
    encode_word,
    right_padded_logits,
)
from lm_interpolation.jobs.batches import AdaptiveBatches, pad_right
from lm_interpolation.jobs.runtime import Progress, UserError, announce, note
from lm_interpolation.models.special_tokens import of_model
from lm_interpolation.points.algebra import Point, Sweep
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.tables.tables import write_table

_MEASURES = ["value", "prediction", "change", "error", "relative_error"]
_SUMMARY = ["c1", "c2", "r2", "r2_unit", "tolerance", "share_within", "reach"]


def linearity(
    space: WeightSpace,
    sweep: Sweep,
    origin: Point,
    directions: Mapping[str, Mapping[str, Decimal]],
    prefixes: Sequence[str],
    words: Mapping[str, Sequence[str]],
    tolerance: float,
    batch_size: int,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare a model with its first-order Taylor expansion at ``origin`` at all points of a plane.

    Args:
        space: models of the plane, with attention ``eager`` (other implementations have no forward-mode derivative).
        sweep: two coordinates a and b; 0 need not be on the grid.
        origin: origin of the sweep, theta0; a single model.
        directions: directions of the sweep, coordinate -> model -> coefficient; d1 belongs to the first coordinate.
        prefixes: texts, tokenised as for generation; f is read after the last token of each.
        words: two groups of words; only words that are a single token after every prefix and a space count.
        tolerance: relative error up to which a point counts as linear.
        batch_size: prefixes computed at once; fewer if GPU memory does not suffice.
        progress: counts points.

    Two quantities f, both computed in float32 by the model, the rest in float64:

    - ``logits``: the next-token logits as they are, (prefixes, V);
    - ``margin``: the mean over prefixes of the probability of the first group of words minus that of the second.

    Returns two frames. The first has one row per point, in the sweep's order, and quantity: ``sweep``, the two
    coordinates (float64), ``point`` (id), ``quantity`` and float64

    - ``value`` and ``prediction``: f and T, for the margin only;
    - ``change``: norm ||f - f(theta0)||; ``error``: norm ||f - T||;
    - ``relative_error``: error / change, which is stricter than an error relative to ||f||, most of which does not
      change. 0 at theta0; missing where f equals f(theta0) though T does not. For the margin, a number, it has a pole
      wherever the curve f = f(theta0) crosses the plane, however small the error.

    The second has one row per quantity, and columns (float64)

    - ``c1``, ``c2``: C1 and C2 of the margin; for the logits the root mean square of C1 and C2 over prefixes and V;
    - ``r2``: 1 - sum ||f - T||^2 / sum ||f - mean f||^2 over all points, below 0 where the plane's mean predicts f
      better than T does; ``r2_unit``: the same over points with both coordinates in [-1, 1]. Missing where there are
      fewer than 3 points or f does not vary;
    - ``tolerance``; ``share_within``: share of the points, theta0 left out, with relative_error <= tolerance;
    - ``reach``: the largest r on the grid for which all points with both coordinates in [-r, r] have relative_error <=
      tolerance; 0 if there is none.

    Raises ``UserError`` if the sweep does not have two coordinates, ``origin`` is a mixture, ``words`` are not two
    groups, a group has no single-token word, a prefix is too long or does not end at a token boundary, a logit is not
    finite, or GPU memory does not suffice for one prefix.
    """
    _check_plane(sweep, origin)
    encoded, groups = _encode(space, prefixes, words)
    batches = AdaptiveBatches(batch_size)
    space.set_point(origin)
    base = next_logits(space.model, encoded, batches)
    _check_finite(base, f"point {origin.id}", prefixes)
    slopes = []
    for coordinate in sweep.coordinates:
        slope = logit_derivative(space, origin, directions[coordinate], encoded, batches)
        _check_finite(slope, f"the derivative at {origin.id} along {coordinate}", prefixes)
        slopes.append(slope)

    def margin(logits: torch.Tensor) -> torch.Tensor:
        return expected_margin(logits, *groups)

    margin_slopes = [torch.func.jvp(margin, (base,), (slope,))[1] for slope in slopes]
    comparisons = {
        "logits": Comparison(base, slopes[0], slopes[1]),
        "margin": Comparison(margin(base), margin_slopes[0], margin_slopes[1]),
    }
    rows = []
    for done, entry in enumerate(space.visit(sweep), start=1):
        a, b = (float(value) for _, value in entry.coordinates)
        # Not recomputed: with smaller batches than for `base`, rounding would look like a change.
        logits = base if entry.point == origin else next_logits(space.model, encoded, batches)
        _check_finite(logits, f"point {entry.point.id}", prefixes)
        head = {"sweep": sweep.name, sweep.coordinates[0]: a, sweep.coordinates[1]: b, "point": entry.point.id}
        for quantity, value in (("logits", logits), ("margin", margin(logits))):
            rows.append(head | {"quantity": quantity} | comparisons[quantity].add(a, b, value))
        if progress:
            progress.update(done)
    table = pd.DataFrame(rows, columns=["sweep", *sweep.coordinates, "point", "quantity", *_MEASURES])
    summary = [{"quantity": quantity} | c.summary(tolerance) for quantity, c in comparisons.items()]
    return table, pd.DataFrame(summary, columns=["quantity", *_SUMMARY])


def _check_plane(sweep: Sweep, origin: Point) -> None:
    if len(sweep.coordinates) != 2:
        raise UserError(
            f"sweep {sweep.name}: has coordinates {list(sweep.coordinates)}; linearity is compared over a plane, give "
            "a sweep with two"
        )
    if len(origin.models) != 1:
        raise UserError(
            f"sweeps.{sweep.name}.origin: {origin.id} is a mixture; linearity is measured around one model, "
            "so make that the origin"
        )


def _encode(
    space: WeightSpace, prefixes: Sequence[str], words: Mapping[str, Sequence[str]]
) -> tuple[list[list[int]], list[torch.Tensor]]:
    """Token ids of the prefixes, and for each group the ids (prefixes, words) of its single-token words."""
    if len(words) != 2:
        raise UserError(f"words: has the groups {list(words)}; give two, the margin is the first minus the second")
    check_words(words)
    note(of_model(space.model, space.tokenizer).describe(space.tokenizer))
    encoded = [encode_prompt(space.tokenizer, prefix) for prefix in prefixes]
    groups, left_out = [], []
    for group, group_words in words.items():
        kept = []
        for word in group_words:
            spelled = [encode_word(space.tokenizer, prefix, word) for prefix in prefixes]
            if all(len(tokens) == 1 for tokens in spelled):
                kept.append([tokens[0] for tokens in spelled])
            else:
                left_out.append(word)
        if not kept:
            raise UserError(f"words: no word of {group} is a single token after every prefix; add one that is")
        groups.append(torch.tensor(kept, device=space.model.device).T)
    if left_out:
        announce(f"linearity: left out of the margin, since they are several tokens: {', '.join(left_out)}")
    for prefix, ids in zip(prefixes, encoded, strict=True):
        check_context(space, prefix, len(ids))
    return encoded, groups


def next_logits(model: Any, encoded: Sequence[Sequence[int]], batches: AdaptiveBatches) -> torch.Tensor:
    """Logits after the last token of each sequence, computed as the model computes: (n, V) float64."""

    def read(part: Sequence[Sequence[int]]) -> torch.Tensor:
        with torch.no_grad():
            return _after_last(right_padded_logits(model, part), part)

    return torch.cat([logits for _, logits in batches.over(encoded, read)]).double()


def logit_derivative(
    space: WeightSpace,
    origin: Point,
    direction: Mapping[str, Decimal],
    encoded: Sequence[Sequence[int]],
    batches: AdaptiveBatches,
) -> torch.Tensor:
    """J d: derivative of ``next_logits`` at ``origin``, a single model, along d = sum_m direction[m] theta_m.

    Returns (n, V) float64, computed as the model computes.
    """
    (name,) = origin.models
    weights = space.parameters(name)
    terms = [(space.parameters(model), float(factor)) for model, factor in direction.items()]
    tangents = {}
    for key, tensor in weights.items():
        total = torch.zeros_like(tensor, dtype=torch.float64)
        for parameters, factor in terms:
            total.add_(parameters[key].double(), alpha=factor)
        # A tangent has the dtype of its primal.
        tangents[key] = total.to(tensor.dtype)

    def derive(part: Sequence[Sequence[int]]) -> torch.Tensor:
        ids, mask = pad_right(part, 0, space.model.device)
        inputs = {"input_ids": ids, "attention_mask": mask, "use_cache": False}

        def logits(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
            return torch.func.functional_call(space.model, parameters, args=(), kwargs=inputs).logits

        with torch.no_grad():
            return _after_last(torch.func.jvp(logits, (weights,), (tangents,))[1], part)

    return torch.cat([derivative for _, derivative in batches.over(encoded, derive)]).double()


def _after_last(logits: torch.Tensor, sequences: Sequence[Sequence[int]]) -> torch.Tensor:
    """(n, longest, V) -> (n, V): at the last token of each sequence."""
    return logits[range(len(sequences)), [len(sequence) - 1 for sequence in sequences]]


def expected_margin(logits: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Mean over rows of sum_k P(first[:, k]) - sum_k P(second[:, k]), P = softmax(logits): a 0-d tensor.

    Shapes: logits (n, V) float, token ids (n, k1) and (n, k2) int64.
    """
    probabilities = torch.softmax(logits, dim=-1)
    difference = probabilities.gather(-1, first).sum(-1) - probabilities.gather(-1, second).sum(-1)
    return difference.mean()


def _check_finite(logits: torch.Tensor, where: str, prefixes: Sequence[str]) -> None:
    finite = logits.isfinite().all(dim=-1)
    if not finite.all():
        prefix = prefixes[int(finite.int().argmin())]
        raise UserError(f"{where}: a logit after {prefix!r} is not finite; choose a smaller plane or check the models")


class _Sums:
    """Residual and total sum of squares of vectors added one by one (Welford's update avoids cancellation)."""

    def __init__(self, like: torch.Tensor) -> None:
        self.count, self.residual, self.total = 0, 0.0, 0.0
        self.mean = torch.zeros_like(like)

    def add(self, value: torch.Tensor, error: torch.Tensor) -> None:
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self.total += float((before * (value - self.mean)).sum())
        self.residual += float(error.square().sum())

    def r2(self) -> float:
        return 1 - self.residual / self.total if self.count >= 3 and self.total > 0 else math.nan


class Comparison:
    """A function f on a plane against T(a, b) = base + a slope1 + b slope2: what ``linearity`` reports per quantity.

    ``base``, the slopes and the values of f are float64 tensors of one shape. If they are 0-d (numbers), value and
    prediction are reported. Values are not kept, so memory does not grow with the plane.
    """

    def __init__(self, base: torch.Tensor, slope1: torch.Tensor, slope2: torch.Tensor) -> None:
        self.base, self.slopes = base, (slope1, slope2)
        self.everywhere, self.unit = _Sums(base), _Sums(base)
        self.radii: list[float] = []
        self.relative_errors: list[float] = []

    def add(self, a: float, b: float, value: torch.Tensor) -> dict[str, float]:
        """The measures at (a, b), where f is ``value``; a missing one is NaN."""
        moved = value - self.base
        predicted = a * self.slopes[0] + b * self.slopes[1]
        difference = moved - predicted
        self.everywhere.add(moved, difference)
        if abs(a) <= 1 and abs(b) <= 1:
            self.unit.add(moved, difference)
        change, error = float(moved.norm()), float(difference.norm())
        relative = error / change if change else 0.0 if error == 0 else math.nan
        self.radii.append(max(abs(a), abs(b)))
        self.relative_errors.append(relative)
        scalar = value.ndim == 0
        return {
            "value": float(value) if scalar else math.nan,
            "prediction": float(self.base + predicted) if scalar else math.nan,
            "change": change,
            "error": error,
            "relative_error": relative,
        }

    def summary(self, tolerance: float) -> dict[str, float]:
        """The columns of the summary, over all points added; a missing value is NaN."""
        # NaN is not within any tolerance.
        points = [(r, error <= tolerance) for r, error in zip(self.radii, self.relative_errors, strict=True) if r > 0]
        broken = min((r for r, within in points if not within), default=math.inf)
        c1, c2 = (float(slope) if slope.ndim == 0 else float(slope.square().mean().sqrt()) for slope in self.slopes)
        return {
            "c1": c1,
            "c2": c2,
            "r2": self.everywhere.r2(),
            "r2_unit": self.unit.r2(),
            "tolerance": tolerance,
            "share_within": sum(within for _, within in points) / len(points) if points else math.nan,
            "reach": max((r for r, _ in points if r < broken), default=0.0),
        }


def write_linearity(
    table: pd.DataFrame, summary: pd.DataFrame, path: str | os.PathLike[str], summary_path: str | os.PathLike[str]
) -> None:
    """Write both frames of ``linearity`` atomically as CSV; equal results give equal bytes.

    Numbers have six significant digits, a missing one is empty; coordinates are exact.
    """
    write_table(table, path, values=_MEASURES)
    write_table(summary, summary_path, values=_SUMMARY)

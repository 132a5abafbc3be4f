"""Weight matching of Git Re-Basin: the permutations of one model's units that bring it closest to another model.

Coordinate ascent on the inner product <A, pi B> of all weights: one permutation at a time is replaced by the best one
while the others stay, which is a linear assignment problem for units, and for heads one for each pair of heads and one
over these pairs. Source: Ainsworth, Hayase and Srinivasa 2022 (arXiv 2209.04836, algorithm 1); heads are ours.

All products are float64. Weights are only moved, never computed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from lm_interpolation.models.symmetries import Axis, Heads, Side, Symmetry, Units

Tensors = dict[str, npt.NDArray[np.float32]]
Order = npt.NDArray[np.intp]
"""Which unit comes to each place."""
Products = npt.NDArray[np.float64]
"""Inner products of units: [i, j] of unit i of the target with unit j of the model."""

SWEEPS = 100
"""Sweeps after which the ascent ends in any case."""
TOLERANCE = 1e-9
"""The ascent ends with a sweep that raises the inner product by no more than this share of it."""
ROUNDING = 1e-12
"""A permutation is replaced only if that gains more than this share of |A| |B|: less may be rounding, and of equal
permutations the present one stays."""


@dataclass(frozen=True)
class Matching:
    """How a model was aligned with a target."""

    inner_products: list[float]
    """<A, pi B> before, and after each sweep; it never falls."""
    distance_before: float
    """|A - B| / |A|, with Euclidean norms over all weights."""
    distance_after: float
    """The same with the aligned model."""
    converged: bool
    """Whether the last sweep gained nothing, rather than being the last that is allowed."""

    def plain(self) -> dict[str, Any]:
        """As mappings and lists. Numbers have 12 digits; further ones depend on how a machine adds."""
        return {
            "sweeps": len(self.inner_products) - 1,
            "converged": self.converged,
            "inner_products": [_rounded(value) for value in self.inner_products],
            "distance": {"before": _rounded(self.distance_before), "after": _rounded(self.distance_after)},
        }


def match(
    target: Tensors,
    model: Tensors,
    symmetries: Sequence[Symmetry],
    seed: int,
    done: Callable[[int], object] | None = None,
) -> Matching:
    """Permute ``model`` in place, by ``symmetries`` alone, so that its inner product with ``target`` is large.

    Both have the same names and shapes, float32 and finite. Arrays of ``model`` are replaced, not written to. In each
    sweep permutations come in an order drawn from ``seed``. ``done`` is called with the number of sweeps done.
    """
    generator = np.random.default_rng(seed)
    norm, before, products = _norm(target), _distance(target, model), [_inner(target, model)]
    least = ROUNDING * norm * _norm(model)
    converged = False
    while not converged and len(products) <= SWEEPS:
        for index in generator.permutation(len(symmetries)):
            symmetry = symmetries[index]
            found = [_products(target, model, side) for side in symmetry.sides]
            gain, orders = _best_units(found[0]) if isinstance(symmetry, Units) else _best_heads(symmetry, *found)
            if gain > least:
                permute(model, symmetry, orders)
        products.append(_inner(target, model))
        converged = products[-1] - products[-2] <= TOLERANCE * abs(products[-1])
        if done:
            done(len(products) - 1)
    return Matching(products, before / norm, _distance(target, model) / norm, converged)


def permute(tensors: Tensors, symmetry: Symmetry, orders: Sequence[Order]) -> None:
    """Replace the tensors of ``symmetry`` by permuted ones; there is one of ``orders`` for each of its sides."""
    for side, order in zip(symmetry.sides, orders, strict=True):
        for name, axis, start in side.axes:
            places = np.arange(tensors[name].shape[axis])
            places[start : start + side.size] = start + order
            tensors[name] = np.take(tensors[name], places, axis)


def _products(target: Tensors, model: Tensors, side: Side) -> Products:
    total = np.zeros((side.size, side.size))
    for axis in side.axes:
        total += _units(target, axis, side.size) @ _units(model, axis, side.size).T
    return total


def _units(tensors: Tensors, axis: Axis, size: int) -> npt.NDArray[np.float64]:
    """One row for each unit: what a tensor holds of it."""
    units = np.moveaxis(tensors[axis.tensor], axis.axis, 0)[axis.start : axis.start + size]
    return units.reshape(size, -1).astype(np.float64)


def _assign(products: Products) -> Order:
    """The order whose products have the largest sum."""
    order: Order = linear_sum_assignment(products, maximize=True)[1]
    return order


def _best_units(products: Products) -> tuple[float, list[Order]]:
    """(gain over the present order, the best order)."""
    order = _assign(products)
    return float(products[np.arange(len(order)), order].sum() - np.trace(products)), [order]


class _Pair(NamedTuple):
    """How one group of heads best takes the place of another: orders of its query heads, and of units of a head."""

    value: float
    heads: Order
    inner: Order
    """Of queries and keys."""
    values: Order


def _best_heads(
    heads: Heads, query: Products, key: Products, value: Products, output: Products
) -> tuple[float, list[Order]]:
    """(gain over the present orders, the orders of the four sides) for products of the units of the four sides.

    They are the best ones if each group has one query head. With more, the orders of query heads and of values within a
    pair of groups are found in turn, so that none is worse than the present one.
    """
    groups, queries, width = heads.groups, heads.queries, heads.width
    each, shared = (groups, queries, width) * 2, (groups, width) * 2
    q, k, v, o = query.reshape(each), key.reshape(shared), value.reshape(shared), output.reshape(each)
    pairs = [
        [
            _best_pair(q[a, :, :, b], k[a, :, b], v[a, :, b], o[a, :, :, b], heads.rotary, present=a == b)
            for b in range(groups)
        ]
        for a in range(groups)
    ]
    order = _assign(np.array([[pair.value for pair in row] for row in pairs]))
    chosen = [pairs[a][b] for a, b in enumerate(order)]
    # Places of heads and of units, for each group, head and unit of the target.
    head = np.array([b * queries + pair.heads for b, pair in zip(order, chosen, strict=True)])[:, :, None] * width
    group = order[:, None] * width
    inner, values = np.array([pair.inner for pair in chosen]), np.array([pair.values for pair in chosen])
    orders = [head + inner[:, None], group + inner, group + values, head + values[:, None]]
    gain = sum(pair.value for pair in chosen) - sum(np.trace(side) for side in (query, key, value, output))
    return float(gain), [places.reshape(-1) for places in orders]


def _best_pair(q: Products, k: Products, v: Products, o: Products, rotary: bool, present: bool) -> _Pair:
    """How the heads of one group of the model best take the place of a group of the target.

    ``q`` and ``o`` are (queries, width, queries, width), ``k`` and ``v`` (width, width). The ascent starts from the
    order of query heads whose queries fit best as they are, and also from the present one if the group is in this
    place already.
    """
    starts = [_assign(np.einsum("iaja->ij", q))]
    if present and len(q) > 1:
        starts.append(np.arange(len(q)))
    return max((_ascend(q, k, v, o, rotary, start) for start in starts), key=lambda pair: pair.value)


def _ascend(q: Products, k: Products, v: Products, o: Products, rotary: bool, heads: Order) -> _Pair:
    """The best orders of units, then of query heads, in turn until the value rises no more."""
    queries, units = np.arange(len(q)), np.arange(len(k))
    best = _Pair(-np.inf, heads, units, units)
    while True:
        inner = units if rotary else _assign(k + q[queries, :, heads].sum(axis=0))
        values = _assign(v + o[queries, :, heads].sum(axis=0))
        of_heads = q[:, units, :, inner].sum(axis=0) + o[:, units, :, values].sum(axis=0)
        found = _assign(of_heads)
        value = float(of_heads[queries, found].sum() + k[units, inner].sum() + v[units, values].sum())
        if value <= best.value:
            return best
        best = _Pair(value, found, inner, values)
        if np.array_equal(found, heads):
            return best
        heads = found


def _inner(one: Tensors, two: Tensors) -> float:
    # NumPy's own sums: those of BLAS depend on its threads.
    return sum(float((one[name].astype(np.float64) * two[name]).sum()) for name in one)


def _norm(tensors: Tensors) -> float:
    return float(np.sqrt(_inner(tensors, tensors)))


def _distance(one: Tensors, two: Tensors) -> float:
    squares = (float(((one[name].astype(np.float64) - two[name]) ** 2).sum()) for name in one)
    return float(np.sqrt(sum(squares)))


def _rounded(value: float) -> float:
    return float(f"{value:.12g}")

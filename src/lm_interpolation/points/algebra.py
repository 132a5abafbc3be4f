"""Points, lines and sweeps: the algebra of affine combinations of named models.

A *point* is an affine combination of models, theta = sum_m c_m theta_m with sum_m c_m = 1. Every parametrization of
Rofin, Balagansky and Gavrilov 2022 (arXiv 2211.12092, Eqs. 1-4) is a sweep: an origin (a point) plus coordinates
times directions (coefficients that sum to 0). The same coefficients applied to logits instead of weights are an
ensemble (DExperts, their section 3.2), and applied to the outputs of each layer they scale what fine-tuning adds to it
(``points.layer_space``): ``space`` says which.

Coefficients are decimals with at most ``DIGITS`` places, never floats: a point has one canonical id, whichever sweep
asks for it, and is merged and generated once.

A point can be *under a method*, which changes the displacements of its models from a base before they are added
(``points.methods``). The study gives the method a name; the point holds the name, and the values of settings that a
sweep varies.
"""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

from lm_interpolation.jobs.runtime import UserError, error_prefix

DIGITS = 6
_QUANTUM = Decimal(1).scaleb(-DIGITS)
_CLOSE = Decimal("0.00001")
"""Coefficients whose sum is this close to the right one are closed to it: six times 1/6 is 1.000002."""

Coefficient = int | float | str | Decimal | Fraction
"""A number, or a string that holds one or a fraction (``1/6``)."""

MODEL_NAME = r"[A-Za-z][A-Za-z0-9_.-]*"
"""What a model may be called: no ``=`` or ``+``, which separate the parts of a point's id.

(Not a comma: Snakemake hands wildcards to the jobs of a cluster in a list with commas, and does not read them back,
https://github.com/snakemake/snakemake/issues/2366.)
"""

COORDINATE_NAME = r"[a-z][a-z0-9_]*"
"""What a coordinate of a sweep may be called."""

ZERO = "zero"
"""Reserved name of a base whose weights are all 0: under a method with it displacements are the weights themselves."""

_NUMBER = r"-?\d+(\.\d+)?"
AFFINE_ID = rf"{MODEL_NAME}={_NUMBER}(\+{MODEL_NAME}={_NUMBER})*"
"""Regular expression of the id of a point without a method."""
METHOD_ID = rf"{MODEL_NAME}(~{COORDINATE_NAME}={_NUMBER})*@{AFFINE_ID}"
"""Regular expression of the id of a point under a method."""
POINT_ID = rf"({MODEL_NAME}(~{COORDINATE_NAME}={_NUMBER})*@)?{AFFINE_ID}"
"""Regular expression of a point's id, for Snakemake's wildcard constraints."""


def decimal(value: Coefficient) -> Decimal:
    """``value`` rounded to ``DIGITS`` places, without trailing zeros and without a negative zero.

    Floats are taken by their shortest decimal form (0.1 is 1/10, not 0.1000000000000000055). Raises ``UserError`` if
    the number is too large, or a fraction is none.
    """
    if isinstance(value, str) and "/" in value:
        try:
            value = Fraction(value)
        except (ValueError, ZeroDivisionError):
            raise UserError(f"{value} is not a usable coefficient; give a number, or a fraction such as 1/6") from None
    if isinstance(value, Fraction):
        exact = Decimal(value.numerator) / value.denominator
    else:
        exact = value if isinstance(value, Decimal) else Decimal(str(value))
    # Far beyond any use, but still within what Decimal can round to so many places.
    if not exact.is_finite() or abs(exact) > 10**15:
        raise UserError(f"{value} is not a usable coefficient; give a number between -1e15 and 1e15")
    rounded = exact.quantize(_QUANTUM, rounding=ROUND_HALF_EVEN).normalize()
    return Decimal(0) if rounded == 0 else rounded


def format_decimal(value: Decimal) -> str:
    """Plain notation (never ``1E+1``), e.g. ``0.25``, ``-3``."""
    return f"{value:f}"


@dataclass(frozen=True)
class Method:
    """What happens to the displacements of a point's models from a base before they are added.

    ``base`` is the name of the base model; None stands for a base of zeros. ``coordinates`` names, sorted, the settings
    that sweeps vary. Where ``convex``, the weights of the other models must not be negative, and not all 0.
    ``recipe`` is what computes it, as JSON (see ``points.methods.recipes``).
    """

    name: str
    base: str | None
    coordinates: tuple[str, ...] = ()
    convex: bool = False
    recipe: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def models(self, point: "Point") -> tuple[str, ...]:
        """Names of all models that ``point``, under this method, is made from, sorted."""
        return tuple(sorted({*point.models, *([] if self.base is None else [self.base])}))

    def at(
        self,
        coefficients: Mapping[str, "Coefficient"],
        values: Mapping[str, int | float | str | Decimal] | None = None,
    ) -> "Point":
        """``point``, where the base takes what the ``coefficients`` of other models leave to a sum of 1."""
        exact = {model: decimal(value) for model, value in coefficients.items()}
        if self.base is not None and self.base not in exact:
            exact[self.base] = 1 - sum(exact.values(), Decimal(0))
        return self.point(exact, values or {})

    def point(
        self, coefficients: Mapping[str, int | float | str | Decimal], values: Mapping[str, int | float | str | Decimal]
    ) -> "Point":
        """The point with these coefficients, base included, under this method with these ``values`` of coordinates.

        Where only the base is left, it is the base itself, without a method. Raises ``UserError`` if coefficients do
        not sum to 1, or if their signs do not suit the method.
        """
        affine = Point.of(coefficients)
        if affine.models == (self.base,):
            return affine
        if set(values) != set(self.coordinates):
            raise UserError(
                f"method {self.name}: has the settings {', '.join(self.coordinates) or 'none'} to choose, but "
                f"{', '.join(sorted(values)) or 'none'} are given; name each of them"
            )
        if self.convex:
            weights = {model: value for model, value in affine.coefficients if model != self.base}
            if min(weights.values()) < 0:
                raise UserError(
                    f"method {self.name}: its combination takes no coefficient below 0, but they are {_show(weights)}; "
                    "correct them"
                )
        settings = tuple((name, decimal(values[name])) for name in sorted(values))
        return Point(affine.coefficients, self.name, settings)


@dataclass(frozen=True)
class Point:
    """An affine combination of models.

    ``coefficients`` holds (model, coefficient) sorted by model name, without zeros, summing to exactly 1. ``method`` is
    the name of a method of the study, or empty, and ``values`` holds (coordinate, value) of its settings that sweeps
    vary, sorted by name.
    """

    coefficients: tuple[tuple[str, Decimal], ...]
    method: str = ""
    values: tuple[tuple[str, Decimal], ...] = ()

    @classmethod
    def of(cls, coefficients: Mapping[str, Coefficient]) -> "Point":
        """The point with these coefficients; if their sum is at most 1e-5 from 1, the largest absorbs the difference.

        Raises ``UserError`` if they do not sum to 1.
        """
        exact = {model: decimal(value) for model, value in coefficients.items()}
        total = sum(exact.values(), Decimal(0))
        if abs(total - 1) > _CLOSE:
            raise UserError(
                f"coefficients {_show(exact)} sum to {format_decimal(total)}, not to 1; "
                "a point is an affine combination of models"
            )
        closed = _closed(exact, 1)
        return cls(tuple(sorted((model, value) for model, value in closed.items() if value)))

    @classmethod
    def parse(cls, identifier: str) -> "Point":
        """The point whose ``id`` is ``identifier``. Raises ``UserError`` if it is not a canonical id."""
        if not re.fullmatch(POINT_ID, identifier):
            raise UserError(f"{identifier!r} is not a point; expected model=coefficient[+model=coefficient ...]")
        before, _, coefficients = identifier.rpartition("@")
        method, *settings = before.split("~")
        values = sorted((name, decimal(value)) for name, value in (part.split("=") for part in settings))
        affine = cls.of(dict(part.split("=") for part in coefficients.split("+")))
        point = replace(affine, method=method, values=tuple(values))
        if point.id != identifier:
            raise UserError(f"{identifier!r} is not in canonical form; did you mean {point.id!r}?")
        return point

    @property
    def id(self) -> str:
        """Canonical name, used in paths: ``negative=0.25+positive=0.75``, ``ties~density=0.2@positive=1``."""
        affine = "+".join(f"{model}={format_decimal(value)}" for model, value in self.coefficients)
        if not self.method:
            return affine
        return self.method + "".join(f"~{name}={format_decimal(value)}" for name, value in self.values) + "@" + affine

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that have a coefficient, sorted. A method's base may not be among them."""
        return tuple(model for model, _ in self.coefficients)

    @property
    def single(self) -> str | None:
        """The model that the point is; None if it is a mixture of several, or one changed by a method."""
        return self.models[0] if len(self.models) == 1 and not self.method else None


def _show(coefficients: Mapping[str, Decimal]) -> str:
    return "{" + ", ".join(f"{model}: {format_decimal(value)}" for model, value in coefficients.items()) + "}"


@dataclass(frozen=True)
class SweepPoint:
    """A point of a sweep with its coordinates, e.g. ``(("alpha", Decimal("0.5")),)``."""

    coordinates: tuple[tuple[str, Decimal], ...]
    point: Point


@dataclass(frozen=True)
class Sweep:
    """A grid of points over an origin, spanned by one direction (a line) or several (a plane), plus anchors.

    ``coordinates`` names those of the directions, then those of its method's settings. ``points`` are sorted by the
    last coordinate first, so the points of one line, which differ only in the first coordinate, are adjacent.
    ``scorers`` names those that score its texts; None means all.
    """

    name: str
    space: str
    prompts: tuple[str, ...]
    coordinates: tuple[str, ...]
    points: tuple[SweepPoint, ...]
    scorers: tuple[str, ...] | None = None
    method: Method | None = None

    @classmethod
    def of(
        cls,
        origin: Mapping[str, Coefficient],
        directions: Mapping[str, Mapping[str, Coefficient]],
        grid: Mapping[str, Sequence[float | str] | Mapping[str, float]],
        space: str = "weights",
        name: str = "sweep",
        method: Method | None = None,
    ) -> "Sweep":
        """The points origin + sum_k t_k direction_k for all t on a grid, without texts.

        Args:
            origin: model -> coefficient; they sum to 1.
            directions: coordinate -> model -> coefficient; those of a direction sum to 0.
            grid: coordinate -> its values: a list, or ``{start, stop, count}`` with both ends included.
            space: ``weights``, ``layers`` (see ``points.layer_space``), or ``logits`` for ensembles.
            method: what its points are under; ``grid`` then also has the settings of the method to vary.

        Eq. 1 of arXiv 2211.12092, alpha positive + (1 - alpha) negative, is ``Sweep.of({"negative": 1}, {"alpha":
        {"positive": 1, "negative": -1}}, {"alpha": [0, 0.5, 1]})``. Raises ``UserError`` if the sums differ, or if
        ``grid`` and ``directions`` do not name the same coordinates.
        """
        if space not in ("weights", "layers", "logits"):
            raise UserError(f"sweeps.{name}.space: {space!r}; give weights, layers or logits")
        spec = {"origin": origin, "directions": directions, "grid": grid, "space": space, "prompts": []}
        return build_sweep(name, spec, method)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of all models that take part, sorted."""
        named = {model for entry in self.points for model in entry.point.models}
        if self.method is not None and self.method.base is not None:
            named.add(self.method.base)
        return tuple(sorted(named))


@dataclass(frozen=True)
class Line:
    """Points that are scored together, under one set of prompts. ``id`` is used in paths."""

    id: str
    space: str
    prompts: str
    points: tuple[Point, ...]


def grid_values(spec: Sequence[float | str] | Mapping[str, float]) -> tuple[Decimal, ...]:
    """The values of one coordinate, ascending: a list, or ``{start, stop, count}`` (both ends included).

    Evenly spaced values are rounded to ``DIGITS`` places: the paper's 20 values in [-4, 4] lie 8/19 apart.
    """
    if isinstance(spec, Mapping):
        start, stop, count = Decimal(str(spec["start"])), Decimal(str(spec["stop"])), int(spec["count"])
        if count < 2:
            raise UserError(f"count is {count}; a range needs at least 2 values (or give a list)")
        values = [start + (stop - start) * step / (count - 1) for step in range(count)]
    else:
        values = [Decimal(str(value)) for value in spec]
    rounded = sorted(decimal(value) for value in values)
    for value, following in itertools.pairwise(rounded):
        if value == following:
            raise UserError(f"{format_decimal(value)} is listed twice; remove one")
    return tuple(rounded)


def direction_of(coefficients: Mapping[str, Coefficient]) -> dict[str, Decimal]:
    """The direction with these coefficients; if their sum is at most 1e-5 from 0, the largest absorbs the difference.

    Raises ``UserError`` if they do not sum to 0.
    """
    exact = {model: decimal(value) for model, value in coefficients.items()}
    total = sum(exact.values(), Decimal(0))
    if abs(total) > _CLOSE:
        raise UserError(
            f"coefficients {_show(exact)} sum to {format_decimal(total)}, not to 0, so that points would not sum to 1; "
            "correct them"
        )
    return _closed(exact, 0)


def build_sweep(name: str, spec: Mapping, method: Method | None = None) -> Sweep:
    """The sweep that a config entry declares (keys: see config/README.md, ``sweeps``), under ``method``.

    Raises ``UserError`` with the key path if an origin does not sum to 1, a direction does not sum to 0, the grid does
    not match the directions and the method, or the method does not allow a point.
    """
    path = f"sweeps.{name}"
    with error_prefix(f"{path}.origin"):
        origin = Point.of(spec["origin"])
    directions: dict[str, dict[str, Decimal]] = {}
    for coordinate, direction in spec["directions"].items():
        with error_prefix(f"{path}.directions.{coordinate}"):
            directions[coordinate] = direction_of(direction)
    settings = method.coordinates if method else ()
    if method and (both := sorted(set(settings) & set(directions))):
        raise UserError(f"{path}.directions.{both[0]}: method {method.name} has a setting of that name; rename one")
    coordinates = (*directions, *settings)
    what = f"the directions are {sorted(directions)}"
    if method:
        what += f" and the settings of method {method.name} to vary are {list(settings)}"
    if set(spec["grid"]) != set(coordinates):
        raise UserError(f"{path}.grid: has {sorted(spec['grid'])}, but {what}; name the same")
    values = []
    for coordinate in coordinates:
        with error_prefix(f"{path}.grid.{coordinate}"):
            values.append(grid_values(spec["grid"][coordinate]))
    # The last coordinate first.
    rows = set(itertools.product(*reversed(values)))
    for index, anchor in enumerate(spec.get("anchors", [])):
        if set(anchor) != set(coordinates):
            raise UserError(f"{path}.anchors.{index}: has {sorted(anchor)}, but {what}; name the same")
        with error_prefix(f"{path}.anchors.{index}"):
            rows.add(tuple(decimal(anchor[coordinate]) for coordinate in reversed(coordinates)))
    entries = []
    for reverse in sorted(rows):
        place = tuple(zip(coordinates, reversed(reverse), strict=True))
        coefficients = dict(origin.coefficients)
        for coordinate, value in place:
            for model, factor in directions.get(coordinate, {}).items():
                coefficients[model] = coefficients.get(model, Decimal(0)) + value * factor
        point = _close(coefficients)
        if method:
            with error_prefix(path):
                chosen = {coordinate: value for coordinate, value in place if coordinate in settings}
                point = method.point(dict(point.coefficients), chosen)
        entries.append(SweepPoint(place, point))
    scorers = tuple(spec["scorers"]) if "scorers" in spec else None
    return Sweep(name, spec["space"], tuple(spec["prompts"]), coordinates, tuple(entries), scorers, method)


def sweep_settings(sweep: Sweep, spec: Mapping) -> dict:
    """``sweep`` of ``spec`` as a job's parameter. Mappings get sorted there, so coordinates travel as a list."""
    settings: dict[str, Any] = {"name": sweep.name, "spec": spec, "coordinates": list(sweep.coordinates)}
    if sweep.method:
        settings["method"] = method_settings(sweep.method)
    return settings


def sweep_from_settings(settings: Mapping) -> Sweep:
    """The sweep that ``sweep_settings`` packed."""
    spec = settings["spec"]
    given = [coordinate for coordinate in settings["coordinates"] if coordinate in spec["directions"]]
    directions = {coordinate: spec["directions"][coordinate] for coordinate in given}
    method = method_from_settings(settings["method"]) if "method" in settings else None
    return build_sweep(settings["name"], {**spec, "directions": directions}, method)


def method_settings(method: Method) -> dict[str, Any]:
    """``method`` as a job's parameter."""
    return {
        "name": method.name,
        "base": method.base,
        "coordinates": list(method.coordinates),
        "convex": method.convex,
        "recipe": method.recipe,
    }


def method_from_settings(settings: Mapping[str, Any]) -> Method:
    """The method that ``method_settings`` packed."""
    return Method(**{**settings, "coordinates": tuple(settings["coordinates"])})


def _close(coefficients: Mapping[str, Decimal]) -> Point:
    """The point with these coefficients, whose exact sum is 1, after rounding each to ``DIGITS`` places.

    Rounding can leave a sum of 1 +- a few quanta if factors have decimals themselves; the largest coefficient
    absorbs the difference, so that the point stays affine.
    """
    return Point.of(_closed({model: decimal(value) for model, value in coefficients.items()}, 1))


def _closed(coefficients: Mapping[str, Decimal], total: int) -> dict[str, Decimal]:
    """``coefficients`` whose largest, of equal ones that of the last name, is changed so that they sum to ``total``."""
    closed = dict(coefficients)
    if missing := total - sum(closed.values(), Decimal(0)):
        closed[max(closed, key=lambda model: (abs(closed[model]), model))] += missing
    return closed


def line_owner(line: str) -> str:
    """Name of the sweep that owns the line with this id."""
    return line.partition("+")[0]


def assign_lines(sweeps: Iterable[Sweep]) -> list[Line]:
    """Distribute the points of all sweeps over lines, so that each (space, prompts, point) is in exactly one.

    A point belongs to the line of the first sweep that contains it; later sweeps read its score from there. So a point
    that two figures need is scored once, and a new point affects only the line of its sweep. (If a later
    sweep already has the point, it moves to the line of the earlier one; then both are scored again.)
    """
    taken: set[tuple[str, str, Point]] = set()
    lines = []
    for sweep in sweeps:
        for prompts in sweep.prompts:
            by_rest: dict[tuple, list[Point]] = {}
            for entry in sweep.points:
                key = (sweep.space, prompts, entry.point)
                if key not in taken:
                    taken.add(key)
                    by_rest.setdefault(entry.coordinates[1:], []).append(entry.point)
            for rest, points in by_rest.items():
                suffix = "".join(f"+{coordinate}={format_decimal(value)}" for coordinate, value in rest)
                lines.append(Line(sweep.name + suffix, sweep.space, prompts, tuple(points)))
    return lines

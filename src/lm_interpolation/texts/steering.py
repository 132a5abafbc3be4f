"""From words to a point: parses requests to ``steer`` and ``export``, and finds the models of the point.

Imports neither torch nor pandas, so mistakes in a request are reported at once.
"""

import itertools
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lm_interpolation.jobs.checksums import check_present
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import (
    MODEL_NAME,
    Method,
    Point,
    Sweep,
    SweepPoint,
    build_sweep,
    decimal,
    format_decimal,
)
from lm_interpolation.points.formulas import combination
from lm_interpolation.points.statistic_folders import FOLDER, file_of, statistics_of, with_statistics

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

PAPER = {"top_p": 0.9, "max_new_tokens": 30, "seed": 0, "precision": "fp32"}
"""Nucleus and length of texts in Table 3 of arXiv 2211.12092."""

_METHOD = re.compile(rf"({MODEL_NAME})(?=[~@\s,]|$)(?!\s*=)")
_NUMBER = r"[-+]?(?:\d+/\d+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)"
_TERM = re.compile(rf"({MODEL_NAME})\s*=\s*({_NUMBER})\s*(?:[,+\s]\s*|$)")


@dataclass(frozen=True)
class OpenStudy:
    """A study used from outside the workflow: its files, its resolved config, and the folder of its results."""

    files: tuple[Path, ...]
    """Each is laid over those before it."""
    declared: "StudyConfig"
    config: dict[str, Any]
    """``declared`` as mappings and lists, see ``study.config.Declared``."""
    left_out: dict[str, str]
    sweeps: dict[str, Sweep]
    results: Path

    @property
    def file(self) -> str:
        """Its files, as messages name them."""
        return ", ".join(map(str, self.files))

    @property
    def name(self) -> str:
        return self.config["study"]

    @property
    def generation(self) -> Mapping[str, Any]:
        """How texts are sampled: as the study says, or as in the paper if the study samples none."""
        found: Mapping[str, Any] = self.config.get("generation") or PAPER
        return found

    def method(self, point: Point) -> Method | None:
        """The method that a point is under."""
        if not point.method:
            return None
        return with_statistics(self.declared.method(point.method), self.results / FOLDER)

    def models(self, point: Point) -> tuple[str, ...]:
        """Names of the models that a point is made from, the base of its method included."""
        method = self.method(point)
        return point.models if method is None else method.models(point)


@dataclass(frozen=True)
class Place:
    """A point and how it was requested: by coordinates on a sweep, or by its coefficients (``sweep`` is None)."""

    point: Point
    space: str
    sweep: Sweep | None
    coordinates: tuple[tuple[str, Decimal], ...]
    others: tuple[str, ...] = ()
    """Other sweeps with the same coordinates, where none was named."""

    @property
    def title(self) -> str:
        """``alpha=0.7``, or the id of the point."""
        return show_coordinates(self.coordinates) or self.point.id


def find_place(study: OpenStudy, words: str, sweep: str | None = None) -> Place:
    """The place that ``words`` describe: coordinates (``alpha=0.7``, ``alpha=0.7,beta=-1``) or models.

    Terms are separated by commas, spaces or ``+``, so a point's id works, too. Coordinates refer to ``sweep``, or to
    the first sweep with exactly these coordinates; they need not be on its grid. Models (``positive=1.5
    negative=-0.5``) are combined in the space of weights. The name of a method may stand before models, with the
    settings that its sweeps vary (``ties density=0.2 positive=1 negative=1``); its base takes the rest to 1.

    Raises ``UserError`` if words cannot be read, if no sweep has these coordinates, or if coefficients do not sum to 1.
    """
    named = _METHOD.match(words.strip())
    if named is not None and sweep is None and (study.declared.methods or "@" in words):
        return _under(study, named[1], words)
    values = _read_terms(words)
    language_models = {name for name, model in study.config["models"].items() if model["task"] == "language-model"}
    coordinates = {name for sweep in study.sweeps.values() for name in sweep.coordinates}
    fitting = [found for found in study.sweeps.values() if set(found.coordinates) == set(values)]
    if sweep is not None:
        chosen = _sweep(study, sweep)
        if chosen not in fitting:
            raise UserError(f"sweep {describe_range(chosen)} has no point {words!r}; name each of its coordinates")
    elif set(values) <= language_models:
        if fitting:
            raise UserError(f"{words!r}: both models and coordinates have these names; choose a sweep with --sweep")
        return Place(Point.of(values), "weights", None, ())
    elif fitting:
        chosen = fitting[0]
    elif set(values) <= language_models | coordinates and set(values) & (language_models - coordinates):
        raise UserError(
            f"point {words!r} mixes coordinates ({', '.join(sorted(set(values) - language_models))}) and models "
            f"({', '.join(sorted(set(values) & language_models))}); write the one or the other"
        )
    else:
        raise UserError(
            f"{words!r}: no sweep has the coordinates {', '.join(values)}; sweeps: "
            f"{'; '.join(map(describe_range, study.sweeps.values()))}; or combine models: "
            f"{', '.join(sorted(language_models))}"
        )
    entry = _entry(study, chosen, values)
    others = tuple(found.name for found in fitting[1:]) if sweep is None else ()
    return Place(entry.point, chosen.space, chosen, entry.coordinates, others)


def _under(study: OpenStudy, name: str, words: str) -> Place:
    """The place of models under the method ``name``, with which ``words`` begin."""
    if name not in study.declared.methods:
        known = ", ".join(study.declared.methods) or "none"
        raise UserError(f"point {words!r}: no method {name!r}; the study declares: {known}")
    method = study.declared.method(name)
    values = _read_terms(words.strip().removeprefix(name).replace("~", " ").replace("@", " "))
    chosen = {key: value for key, value in values.items() if key in method.coordinates}
    coefficients = {key: value for key, value in values.items() if key not in chosen}
    space = study.declared.methods[name].SPACE
    models = {key for key, model in study.config["models"].items() if model["task"] == "language-model"}
    models |= set(study.declared.experts) if space == "logits" else set()
    if unknown := sorted(set(coefficients) - models):
        settings = f"its settings ({', '.join(method.coordinates)}) and " if method.coordinates else ""
        raise UserError(
            f"point {words!r}: {unknown[0]} is no model; under method {name} give {settings}models: "
            f"{', '.join(sorted(models))}"
        )
    for coordinate, value in chosen.items():
        for problem in study.declared.methods[name].value_problems(coordinate, [float(value)]):
            raise UserError(f"point {words!r}: {coordinate}={problem}")
    return Place(method.at(coefficients, chosen), space, None, ())


def _entry(study: OpenStudy, sweep: Sweep, values: Mapping[str, Decimal]) -> SweepPoint:
    """The point of ``sweep`` with these coordinates."""
    grid = {coordinate: [format_decimal(values[coordinate])] for coordinate in sweep.coordinates}
    spec = {**study.config["sweeps"][sweep.name], "grid": grid, "anchors": []}
    (entry,) = build_sweep(sweep.name, spec, sweep.method).points
    return entry


def _read_terms(words: str) -> dict[str, Decimal]:
    values: dict[str, Decimal] = {}
    rest = words.strip()
    while rest:
        term = _TERM.match(rest)
        if term is None:
            raise UserError(
                f"point {words!r}: cannot read {rest!r}; write coordinates (alpha=0.7 or alpha=0.7,beta=-1) or models "
                "(positive=1.5 negative=-0.5)"
            )
        if term[1] in values:
            raise UserError(f"point {words!r}: {term[1]} is given twice; remove one")
        values[term[1]] = decimal(term[2])
        rest = rest[term.end() :]
    if not values:
        raise UserError("--point is empty; write coordinates (alpha=0.7) or models (positive=1.5 negative=-0.5)")
    return values


def _sweep(study: OpenStudy, name: str) -> Sweep:
    if f"sweeps.{name}" in study.left_out:
        raise UserError(f"sweep {name} is left out: {study.left_out[f'sweeps.{name}']}")
    if name not in study.sweeps:
        ranges = "; ".join(map(describe_range, study.sweeps.values()))
        raise UserError(f"{study.file}: no sweep {name!r}; there are: {ranges}")
    return study.sweeps[name]


def _ranges(sweep: Sweep) -> dict[str, tuple[Decimal, Decimal]]:
    """Smallest and largest value of each coordinate."""
    columns = zip(*(entry.coordinates for entry in sweep.points), strict=True)
    values = [(column[0][0], [value for _, value in column]) for column in columns]
    return {coordinate: (min(numbers), max(numbers)) for coordinate, numbers in values}


def describe_range(sweep: Sweep) -> str:
    """``plane (alpha from -4 to 4, beta from -4 to 4)``."""
    parts = (f"{name} from {low:f} to {high:f}" for name, (low, high) in _ranges(sweep).items())
    return f"{sweep.name} ({', '.join(parts)}{'' if sweep.space == 'weights' else f', {sweep.space}'})"


def show_coordinates(coordinates: Iterable[tuple[str, Decimal]]) -> str:
    """``alpha=0.7, beta=-1``."""
    return ", ".join(f"{name}={format_decimal(value)}" for name, value in coordinates)


def formula(point: Point) -> str:
    """``1.5 positive − 0.5 negative``, the largest coefficient first; ``..., under ties with density 0.2``."""
    affine = combination(dict(sorted(point.coefficients, key=lambda pair: -pair[1])), format_decimal)
    settings = " and ".join(f"{name} {format_decimal(value)}" for name, value in point.values)
    return affine + (f", under {point.method}{f' with {settings}' if settings else ''}" if point.method else "")


def describe_sweep_of(study: OpenStudy, place: Place) -> str:
    """The sweep of the request, with its label if it has one; empty for a combination of models."""
    if place.sweep is None:
        return ""
    label = study.config["sweeps"][place.sweep.name].get("label")
    return place.sweep.name + (f", {label}" if label else "")


def describe_place(study: OpenStudy, place: Place) -> str:
    """One line for people: the formula with its numbers, and what the study has measured at the place."""
    sweep = describe_sweep_of(study, place)
    where = f"{place.title} on {sweep}: " if sweep else ""
    how = "the model itself" if place.point.single else f"a combination of {place.space}"
    return f"{where}{formula(place.point)} ({how}), {describe_position(study, place)}"


@dataclass(frozen=True)
class Measured:
    """The points measured at a place or, failing that, nearest to it; their ``sweep`` generates texts."""

    sweep: Sweep
    entries: tuple[SweepPoint, ...]
    here: bool


def measured(study: OpenStudy, place: Place) -> Measured | None:
    """Where the study has scores for a place; None if no sweep with texts contains it (most combinations of models).

    If some sweep has the point itself, the scores are there. Otherwise they are at the points around it on the sweep
    that contains it (see ``located``), those with the next smaller or larger value of each coordinate.
    """
    scored = [sweep for sweep in study.sweeps.values() if sweep.space == place.space and sweep.prompts]
    for sweep in sorted(scored, key=lambda sweep: sweep is not place.sweep):
        for entry in sweep.points:
            if entry.point == place.point:
                return Measured(sweep, (entry,), True)
    found = located(study, place)
    if found.sweep is None or not found.sweep.prompts:
        return None
    return Measured(found.sweep, _neighbours(found.sweep, found.coordinates), False)


def located(study: OpenStudy, place: Place) -> Place:
    """``place`` on a sweep that generates texts; different words for one model give the same place.

    That is its own sweep if this has texts; otherwise a sweep that contains the exact point, with the coordinates
    there. Sweeps whose range includes it come first, and lines before planes. If there is none, ``place`` is returned
    unchanged.
    """
    if place.sweep is not None and place.sweep.prompts:
        return place
    found = []
    for sweep in study.sweeps.values():
        if sweep.space == place.space and sweep.prompts:
            coordinates = _coordinates_on(study, sweep, place.point)
            if coordinates is not None:
                found.append(replace(place, sweep=sweep, coordinates=coordinates))
    return min(found, key=lambda other: (is_outside(other), len(other.coordinates)), default=place)


def _coordinates_on(study: OpenStudy, sweep: Sweep, point: Point) -> tuple[tuple[str, Decimal], ...] | None:
    """The coordinates of ``point`` on ``sweep``; None if it is not exactly one of its points."""
    spec = study.config["sweeps"][sweep.name]
    if point.method != (sweep.method.name if sweep.method else ""):
        return None
    named = [name for name in sweep.coordinates if name in spec["directions"]]
    origin, directions = spec["origin"], [spec["directions"][name] for name in named]
    models = sorted({*origin, *point.models}.union(*directions))
    # Solved in floating point, then checked against the exact sum.
    values = dict(point.values)
    if directions:
        columns = np.array([[float(direction.get(model, 0)) for direction in directions] for model in models])
        moved = [float(dict(point.coefficients).get(model, 0)) - float(origin.get(model, 0)) for model in models]
        solution = np.linalg.lstsq(columns, np.array(moved))[0]
        values |= dict(zip(named, map(decimal, solution.tolist()), strict=True))
    entry = _entry(study, sweep, values)
    return entry.coordinates if entry.point == point else None


def _neighbours(sweep: Sweep, coordinates: Sequence[tuple[str, Decimal]]) -> tuple[SweepPoint, ...]:
    around = []
    for place, (_, value) in enumerate(coordinates):
        known = {entry.coordinates[place][1] for entry in sweep.points}
        below, above = [other for other in known if other <= value], [other for other in known if other >= value]
        around.append({max(below, default=min(known)), min(above, default=max(known))})
    corners = set(itertools.product(*around))
    found = tuple(entry for entry in sweep.points if tuple(value for _, value in entry.coordinates) in corners)
    # With anchors beside a grid there may be no point at any corner.
    return found or (min(sweep.points, key=lambda entry: _distance(entry.coordinates, coordinates)),)


def _distance(one: Sequence[tuple[str, Decimal]], two: Sequence[tuple[str, Decimal]]) -> Decimal:
    return sum(((a - b) ** 2 for (_, a), (_, b) in zip(one, two, strict=True)), Decimal(0))


def is_outside(place: Place) -> bool:
    """Whether a coordinate lies outside the range of its sweep; a combination of models has no range."""
    ranges = _ranges(place.sweep) if place.sweep is not None else {}
    return any(not ranges[name][0] <= value <= ranges[name][1] for name, value in place.coordinates)


def describe_position(study: OpenStudy, place: Place) -> str:
    """The position of the place relative to measured points, in one phrase."""
    found = measured(study, place)
    if found is not None and found.here:
        name = "" if found.sweep is place.sweep else f" ({show_coordinates(found.entries[0].coordinates)})"
        return f"a point of the grid of {found.sweep.name}{name}"
    on = located(study, place)
    if on.sweep is None:
        return "on no sweep with texts: the study has generated none near it"
    at = "" if on.sweep is place.sweep else f" at {show_coordinates(on.coordinates)}"
    if is_outside(on):
        return f"outside the range of {describe_range(on.sweep)}{at}: it extrapolates beyond what the study measured"
    if found is None:
        return f"{on.sweep.name} generates no texts: the study has measured none here"
    return f"between points of the grid of {on.sweep.name}{at}"


def model_folders(study: OpenStudy, names: Iterable[str]) -> dict[str, Path]:
    """Folders of models by name. Raises ``UserError`` with the command that builds missing or incomplete ones."""
    folders = {name: study.results / "models" / name for name in dict.fromkeys(names)}
    for name, folder in folders.items():
        check_present(folder, f"delete {folder} and build it again with: {build_command(study, [name])}")
    missing = [name for name, folder in folders.items() if not (folder / "config.json").is_file()]
    if missing:
        others = f" (nor {', '.join(missing[1:])})" if missing[1:] else ""
        raise UserError(f"no model in {folders[missing[0]]}{others}; build with: {build_command(study, missing)}")
    return folders


def check_statistics(study: OpenStudy, points: Iterable[Point]) -> None:
    """Raise ``UserError`` if the methods of ``points`` need statistics of models that are not there.

    It has the command that builds them, or says why this study has none.
    """
    missing: dict[Path, None] = {}
    for point in points:
        if not point.method:
            continue
        method = study.declared.method(point.method)
        for statistic in statistics_of(method):
            for model in (model for model in point.models if model != method.base):
                if words := study.declared.statistics[statistic].problem(study.declared, statistic, model):
                    raise UserError(f"point {point.id}: {words}")
                file = file_of(Path(FOLDER) / statistic, model)
                if not (study.results / file).is_file():
                    missing[file] = None
    if missing:
        first, *others = (str(study.results / file) for file in missing)
        more = f" (nor {', '.join(others)})" if others else ""
        raise UserError(f"no {first}{more}; build with: {_command(study, missing)}")


def build_command(study: OpenStudy, models: Sequence[str]) -> str:
    """The command that builds these models of the study."""
    return _command(study, [Path("models") / name for name in models])


def _command(study: OpenStudy, results: Iterable[Path]) -> str:
    targets = [f"results/{study.name}/{result}" for result in results]
    return shlex.join(["snakemake", "--cores", "all", "--configfile", *map(str, study.files), "--", *targets])

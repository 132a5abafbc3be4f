"""Recipes: the stages of a method as JSON, and the weights that they make.

A recipe is ``{"stages": [{"module": name, "settings": {...}}, ...], "files": [...], "code": {...}}``. A setting that a
sweep varies is ``{"coordinate": name}``. ``code`` holds digests of the modules behind the stages. Nothing here reads
them, but a recipe is among the settings of each job that uses it. So an edit of a stage reruns those jobs, no others.
"""

import functools
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from lm_interpolation.points.algebra import Method, Point
from lm_interpolation.points.methods.spaces import Array, Place, Space, weighted_sum

ROOM = "lm_interpolation.points.methods"
"""Where the modules of stages are. Each has a function ``apply(space, **settings) -> Space``."""


def under(method: Method, point: Point, space: Space) -> Space:
    """``space`` after all stages of ``method`` at ``point``."""
    values = {name: float(value) for name, value in point.values}
    for stage in method.recipe["stages"]:
        settings = {key: _resolved(value, values) for key, value in stage["settings"].items()}
        space = _stage(stage["module"])(space, **settings)
    return space


def sums(space: Space, place: Place) -> Iterator[tuple[int, Array]]:
    """(start, weights in float64) for each chunk of a tensor: the base plus the weighted sum of displacements."""
    for chunk in space.chunks(place):
        total = weighted_sum(chunk.values, space.weights)
        yield chunk.start, total if chunk.base is None else chunk.base + total


def _resolved(value: Any, values: Mapping[str, float]) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {"coordinate"}:
            return values[value["coordinate"]]
        return {key: _resolved(item, values) for key, item in value.items()}
    return [_resolved(item, values) for item in value] if isinstance(value, list) else value


@functools.cache
def _stage(module: str) -> Any:
    """The function of a stage. Imported by its name, so that another stage changes the code of no job (see above)."""
    return importlib.import_module(f"{ROOM}.{module}").apply

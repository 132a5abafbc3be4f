"""Where the statistics of models lie that a method needs: a folder for each statistic, a file in it for each model.

A declared method names its statistics, as ``{"statistic": name}`` among the settings of its stages. Only where it is
used is it known in which folder results are.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_interpolation.points.algebra import Method, Point

FOLDER = "statistics"
"""Of all statistics of a study, below its results."""

_KEY = "statistic"


def named(statistic: str) -> dict[str, str]:
    """A setting of a stage that names a statistic."""
    return {_KEY: statistic}


def statistics_of(method: Method) -> list[str]:
    """Names of the statistics that a method needs of each model except its base, sorted."""
    settings = [value for stage in method.recipe["stages"] for value in stage["settings"].values()]
    return sorted({value[_KEY] for value in settings if _is_named(value)})


def with_statistics(method: Method, folder: str | os.PathLike[str]) -> Method:
    """``method`` with its statistics in ``folder``: names become paths. A method without any stays as it is."""
    if not statistics_of(method):
        return method
    stages = [
        {
            **stage,
            "settings": {
                key: str(Path(folder) / value[_KEY]) if _is_named(value) else value
                for key, value in stage["settings"].items()
            },
        }
        for stage in method.recipe["stages"]
    ]
    return replace(method, recipe={**method.recipe, "stages": stages})


def statistic_files(method: Method, points: Sequence[Point], folder: str | Path) -> list[str]:
    """Files of the statistics, in ``folder``, of all models that ``points`` under ``method`` displace, sorted."""
    models = {model for point in points if point.method for model in point.models if model != method.base}
    return sorted(str(file_of(Path(folder) / name, model)) for name in statistics_of(method) for model in models)


def file_of(statistic: str | Path, model: str) -> Path:
    """The file of a model in the folder of a statistic."""
    return Path(statistic) / f"{model}.safetensors"


def _is_named(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {_KEY}

"""Several trainings of one sweep as one curve: their mean, with its intervals over prompts and over trainings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import Point
from lm_interpolation.statistics.trainings import student_over
from lm_interpolation.tables.tables import coordinate_columns

Trainings = Mapping[str, Sequence[str]]
"""Sweep of families to its members, the sweeps of its trainings."""


def together(tables: Sequence[pd.DataFrame], trainings: Trainings) -> list[tuple[str, list[pd.DataFrame]]]:
    """(name, tables) of each line: that of a sweep, or those of all ``trainings`` of one, in the order of the first.

    Points are called by families there: models that differ between trainings are called alike in all tables of a line.
    """
    lines: dict[str, list[pd.DataFrame]] = {}
    owners = {member: name for name, members in trainings.items() for member in members}
    for table in tables:
        sweep = str(table["sweep"].iloc[0])
        name = owners.get(sweep, sweep)
        seed = sweep.removeprefix(name)
        points = [_of_family(point, seed) if seed else point for point in table["point"]]
        lines.setdefault(name, []).append(table.assign(sweep=name, point=points))
    return list(lines.items())


def _of_family(point: str, seed: str) -> str:
    found = Point.parse(point)
    models = tuple(sorted((model.removesuffix(seed), value) for model, value in found.coefficients))
    return replace(found, coefficients=models).id


def mean_rows(parts: Sequence[pd.DataFrame], scale: str = "linear") -> pd.DataFrame:
    """The rows of one statistic in the tables of k >= 2 trainings, as rows of their mean; ``parts`` for each training.

    With scale ``log``, the mean and its intervals are those of logarithms. The columns ``estimate, low, high`` hold the
    mean and its interval over prompts and trainings (see ``statistics.trainings``). Two pairs of columns hold the parts
    of that interval: ``prompts_low, prompts_high``, at least as wide as that of the mean over prompts, and
    ``trainings_low, trainings_high``, Student's interval over trainings on the same prompts.

    Raises ``UserError`` if trainings do not have the same points.
    """
    first = parts[0]
    keys = ["prompts", *coordinate_columns(first), "scorer", "statistic"]
    parts = [part.reset_index(drop=True) for part in parts]
    if any(not part[keys].equals(parts[0][keys]) for part in parts):
        name = first["sweep"].iloc[0]
        raise UserError(f"the trainings of {name} do not have the same points; make their tables again")
    into, back = (np.log, np.exp) if scale == "log" else (np.asarray, np.asarray)
    values, low, high = (
        into(np.array([part[column] for part in parts], dtype=np.float64)) for column in ("estimate", "low", "high")
    )
    mean, reach = student_over(values)
    below, above = (values - low).mean(axis=0), (high - values).mean(axis=0)
    columns = {
        "estimate": mean,
        "low": mean - np.hypot(reach, below),
        "high": mean + np.hypot(reach, above),
        "prompts_low": mean - below,
        "prompts_high": mean + above,
        "trainings_low": mean - reach,
        "trainings_high": mean + reach,
    }
    counts = {name: np.min([part[name] for part in parts], axis=0) for name in ("n_prompts",) if name in first}
    return parts[0].assign(**{name: back(column) for name, column in columns.items()}, **counts)


def band_labels(counts: Sequence[int]) -> dict[str, str]:
    """What the bands of means over this many trainings are called, by the beginning of their columns."""
    several = " or ".join(map(str, sorted(set(counts))))
    return {
        "prompts": f"95 % over prompts (mean of {several} trainings)",
        "trainings": f"95 % over {several} trainings",
    }

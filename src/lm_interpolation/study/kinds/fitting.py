"""Whether declared entries fit each other, for the checks of several kinds."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lm_interpolation.points.algebra import decimal
from lm_interpolation.study.kinds.base import Problem

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


def scored(config: "StudyConfig", sweep: str, scorer: str, path: str) -> Iterator[Problem]:
    """Whether the scorer scores the texts of the sweep."""
    if scorer not in config.scorers_of(sweep):
        yield path, f"scorer {scorer!r} does not score sweep {sweep!r}; add it to sweeps.{sweep}.scorers"


def on_grid(config: "StudyConfig", sweep: str, values: Iterable[float], path: str) -> Iterator[Problem]:
    """Whether a sweep of one direction has points at all these values of its coordinate."""
    known = {entry.coordinates[0][1] for entry in config.sweep(sweep).points}
    for value in values:
        if decimal(value) not in known:
            yield path, f"{value} is not on the grid of sweep {sweep!r}; add it there"


def batch_fits(config: "StudyConfig", processes: int, batch_size: int, path: str) -> Iterator[Problem]:
    """Whether a batch can be divided evenly among processes, and each share into micro-batches."""
    at_once = config.compute.batch_size.train
    share, rest = divmod(batch_size, processes)
    if rest or (at_once and share > at_once and share % at_once):
        parts = f"{processes} processes"
        parts += f" with {at_once} sequences at once (compute.batch_size.train)" if at_once else ""
        yield path, f"{batch_size} cannot be divided over {parts}; choose a multiple"

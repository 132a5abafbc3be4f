"""Searches for hyper-parameters: trials, the runs that serve them, and the choice among them.

Rofin, Balagansky and Gavrilov 2022 (arXiv 2211.12092), Tables 1 and 2: among all combinations of learning rate, batch
size and number of steps, the one with the lowest perplexity on dev wins.
"""

import itertools
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.jobs.runtime import UserError

# The Snakefile imports this module.
if TYPE_CHECKING:
    import pandas as pd

SETTINGS = ("learning_rate", "batch_size", "steps")
"""What a search varies."""

SEARCH_COLUMNS = ["search", *SETTINGS, "dev_loss", "dev_perplexity", "chosen", "configured"]
SEARCH_VALUES = ["dev_loss", "dev_perplexity"]
"""The columns that ``tables.write_table`` rounds."""

STEPLESS_SCHEDULES = ("constant_with_warmup",)
"""Schedules whose learning rate at a step does not depend on the number of steps to come."""


def trial_id(learning_rate: float, batch_size: int, steps: int | None) -> str:
    """Canonical name of a run, used in paths: ``learning_rate=0.0002+batch_size=16+steps=40``.

    The learning rate is exact and in plain notation, never ``1e-07``. ``steps`` is None, and left out, for a run that
    several numbers of steps share.
    """
    name = f"learning_rate={Decimal(str(learning_rate)).normalize():f}+batch_size={batch_size}"
    return name if steps is None else f"{name}+steps={steps}"


@dataclass(frozen=True)
class Trial:
    """One training run of a search, which is evaluated on dev after each of ``checkpoints`` steps, ascending.

    ``steps`` is the length of the run, the last of ``checkpoints``. ``shared``: longer and shorter runs are the same up
    to the end of the shorter one, so the id does not name steps.
    """

    learning_rate: float
    batch_size: int
    steps: int
    checkpoints: tuple[int, ...]
    shared: bool

    @property
    def id(self) -> str:
        """See ``trial_id``."""
        return trial_id(self.learning_rate, self.batch_size, None if self.shared else self.steps)


def trials(grid: Mapping[str, Sequence[Any]], schedule: str) -> list[Trial]:
    """The runs that a search over all combinations of ``grid`` takes, learning rates first, then batch sizes, steps.

    ``grid`` has the lists ``learning_rate``, ``batch_size`` and ``steps``. With the ``schedule``
    ``constant_with_warmup`` the learning rate at a step does not depend on the number of steps: a shorter run is
    exactly the beginning of a longer one, and one run of the longest serves all numbers of steps. With any other
    schedule every combination is a run.

    Raises ``UserError`` if a list is empty, or a value not positive or listed twice.
    """
    for key in SETTINGS:
        if not grid[key]:
            raise UserError(f"{key}: is empty; list at least one value")
        for value in grid[key]:
            if not 0 < value < math.inf:
                raise UserError(f"{key}: {value} is not positive; correct it")
            if list(grid[key]).count(value) > 1:
                raise UserError(f"{key}: {value} is listed twice; remove one")
    rates, sizes, steps = ([*grid[key]] for key in SETTINGS)
    shared = schedule in STEPLESS_SCHEDULES
    runs = [tuple(sorted(steps))] if shared else [(count,) for count in steps]
    return [
        Trial(float(rate), size, checkpoints[-1], checkpoints, shared)
        for rate, size, checkpoints in itertools.product(rates, sizes, runs)
    ]


def read_metrics(path: str | os.PathLike[str], trial: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows ``learning_rate, batch_size, steps, dev_loss, dev_perplexity`` from the metrics file of one run.

    ``trial`` has ``learning_rate``, ``batch_size`` and ``checkpoints``. The file holds ``{"evaluations": [{"steps":
    40, "dev_loss": 3.2, "dev_perplexity": 24.5}, ...]}``, one entry per checkpoint, in any order; where a trial
    diverged both values are null, and NaN here.

    Raises ``UserError`` naming the file if it cannot be read, if its steps are not the checkpoints, or if a value is
    neither a finite number nor null.
    """
    try:
        evaluations = json.loads(Path(path).read_text(encoding="utf-8"))["evaluations"]
        by_steps = {entry["steps"]: [entry[key] for key in SEARCH_VALUES] for entry in evaluations}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not the metrics of a trial ({error!r}); delete it and run again") from None
    if sorted(by_steps) != sorted(trial["checkpoints"]) or len(by_steps) != len(evaluations):
        raise UserError(
            f"{path}: has evaluations at steps {[entry['steps'] for entry in evaluations]}, expected "
            f"{list(trial['checkpoints'])}; delete it and run again"
        )
    rows = []
    for steps, values in sorted(by_steps.items()):
        diverged = all(value is None for value in values)
        if not diverged and not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values):
            raise UserError(
                f"{path}: {' and '.join(SEARCH_VALUES)} after {steps} steps are {values}; expected numbers, or null "
                "for a trial that diverged"
            )
        rows.append(
            {"learning_rate": float(trial["learning_rate"]), "batch_size": int(trial["batch_size"]), "steps": steps}
            | {key: math.nan if diverged else float(value) for key, value in zip(SEARCH_VALUES, values, strict=True)}
        )
    return rows


def search_table(search: str, rows: Sequence[Mapping[str, Any]], configured: Mapping[str, Any]) -> "pd.DataFrame":
    """The table of a search (Table 2 of the paper is its chosen rows): one row per combination.

    ``rows`` are those of ``read_metrics``; ``configured`` has the ``learning_rate``, ``batch_size`` and ``steps`` that
    the study's model is trained with. Columns (``SEARCH_COLUMNS``): ``search``; the three settings (float64, int64,
    int64); ``dev_loss`` (nats per token) and ``dev_perplexity``, NaN where the trial diverged; ``chosen``: the row of
    lowest ``dev_loss``, of equal ones that of fewer steps, then of the smaller batch, then of the lower learning rate;
    ``configured``: the row of the study's own setting, if the search has it. Sorted by the settings.

    Raises ``UserError`` if all trials diverged, ``ValueError`` if a combination occurs twice.
    """
    import pandas as pd

    table = pd.DataFrame(list(rows), columns=[*SETTINGS, *SEARCH_VALUES])
    table = table.astype({"learning_rate": float, "batch_size": int, "steps": int, "dev_loss": float})
    if table.duplicated(list(SETTINGS)).any():
        raise ValueError(f"search {search}: a combination occurs twice")
    if table["dev_loss"].isna().all():
        raise UserError(f"search {search}: all trials diverged; use lower learning rates or a warm-up")
    table = table.sort_values(list(SETTINGS), ignore_index=True)
    ranked = table.sort_values(["dev_loss", "steps", "batch_size", "learning_rate"], na_position="last")
    table.insert(0, "search", search)
    table["chosen"] = table.index == ranked.index[0]
    table["configured"] = (table[list(SETTINGS)] == [configured[key] for key in SETTINGS]).all(axis=1)
    return table[SEARCH_COLUMNS]

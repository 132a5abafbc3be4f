"""Descriptions of the rows and columns of tables, declared by whatever makes the table, for the text beside it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.scorers.base import Scorer

COORDINATES = "<coordinates>"
"""A column for each coordinate of the sweeps that a table is about."""

SWEEPS = "<sweeps>"
"""A column for each of these sweeps, called after it."""

# Columns that several tables have.
COORDINATE = "coordinate of the point"
SWEEP = "name of the sweep"
PROMPTS = "set of prompts"
POINT = "the point: models with their coefficients"
SCORER = "name of the scorer"
LOW = "lower end of the 95 % interval; empty where there is none"
HIGH = "upper end of that interval"
N_TEXTS = "texts that count"
CLASS = "class of the texts; empty for all"


@dataclass(frozen=True)
class Table:
    """What a ``row`` of a table is, and the meaning of each of its ``columns``, in order."""

    row: str
    columns: Mapping[str, str]

    def meanings(self, coordinates: Sequence[str], sweeps: Sequence[str]) -> Iterator[tuple[str, str]]:
        """(column, meaning) for a table about ``sweeps`` with these ``coordinates``."""
        several = {COORDINATES: coordinates, SWEEPS: sweeps}
        for column, meaning in self.columns.items():
            for name in several.get(column, [column]):
                yield name, meaning


def sweep_table(scorers: "Iterable[Scorer]") -> Table:
    """The description of the table of a sweep whose texts have these ``scorers``."""
    kinds = list(dict.fromkeys(type(scorer) for scorer in scorers))
    reasons = list(dict.fromkeys(kind.NO_SCORE for kind in kinds if kind.NO_SCORE))
    listed = f"{', '.join(reasons[:-1])} or {reasons[-1]}" if len(reasons) > 1 else "".join(reasons)
    return Table(
        row="One statistic of one scorer at one point, over the texts that continue one set of prompts.",
        columns={
            "sweep": SWEEP,
            "prompts": PROMPTS,
            COORDINATES: COORDINATE,
            "point": POINT,
            "scorer": SCORER,
            "statistic": "; ".join(kind.STATISTIC_WORDS for kind in kinds),
            "estimate": "the value",
            "low": LOW,
            "high": HIGH,
            "n_prompts": "prompts that count",
            "n_texts": N_TEXTS,
            "n_excluded": f"texts without a score: {listed}" if listed else "texts without a score",
        },
    )


SEARCH_TABLE = Table(
    row="One trial: a training with one combination of settings.",
    columns={
        "search": "name of the search",
        "learning_rate": "learning rate",
        "batch_size": "sequences per step",
        "steps": "steps of training",
        "dev_loss": "loss on dev, nats per token; empty where the trial diverged",
        "dev_perplexity": "its exponential",
        "chosen": "true for the lowest",
        "configured": "true for what the study's model was trained with",
    },
)

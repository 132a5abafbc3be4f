"""What the rows and columns of a table are: declared with what makes the table, for the text beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    """What a ``row`` of a table is, and the meaning of each of its ``columns``, in their order."""

    row: str
    columns: Mapping[str, str]

    def meanings(self, coordinates: Sequence[str], sweeps: Sequence[str]) -> Iterator[tuple[str, str]]:
        """(column, meaning) of a table that is about ``sweeps``, which have these ``coordinates``."""
        several = {COORDINATES: coordinates, SWEEPS: sweeps}
        for column, meaning in self.columns.items():
            for name in several.get(column, [column]):
                yield name, meaning


SWEEP_TABLE = Table(
    row="One statistic of one scorer at one point, over the texts that continue one set of prompts.",
    columns={
        "sweep": SWEEP,
        "prompts": PROMPTS,
        COORDINATES: COORDINATE,
        "point": POINT,
        "scorer": SCORER,
        "statistic": "the statistic",
        "estimate": "the value",
        "low": LOW,
        "high": HIGH,
        "n_prompts": "prompts that count",
        "n_texts": N_TEXTS,
        "n_excluded": "texts without a score",
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

"""The source synthetic."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.study.kinds.base import Count, Declaration, Maybe, NonNegativeInt
from lm_interpolation.study.kinds.corpora.base import Source
from lm_interpolation.study.kinds.corpora.sst import SENTIMENT

_CLASSES: dict[str, dict[str, list[Any]]] = {
    "reviews": SENTIMENT,
    "general": {},
    "acceptability": {"acceptable": ["acceptable"], "unacceptable": ["unacceptable"]},
    "errors": {
        error: [error]
        for error in ("exchange", "determiner", "verb", "double", "insert", "agreement", "form", "preposition")
    },
}
"""Kind of texts to its classes."""


class Counts(Declaration):
    """Number of texts of each split."""

    train: Count = Field(description="Number of training texts.")
    dev: Count = Field(description="Number of development texts, used to watch and select.")
    test: Count = Field(description="Number of test texts, used to report.")


class Shard(Declaration):
    """One part of the texts."""

    index: NonNegativeInt = Field(description="Number of the shard, from 0.")
    count: Count = Field(description="Number of shards.")


class Synthetic(Source):
    """The built-in synthetic generator."""

    SCRIPT: ClassVar[str] = "data/corpus_synthetic.py"

    source: Literal["synthetic"] = Field(description="The built-in synthetic generator.")
    kind: Literal["reviews", "general", "acceptability", "errors"] = Field(
        description="Reviews (labels 0..4), general (unlabelled), acceptability, or errors of one kind in each text."
    )
    counts: Counts = Field(description="Number of texts per split.")
    shard: Maybe[Shard] = Field(
        default=None,
        description=("Take only shard number index of count; different shards have no text in common."),
    )

    def label_column(self) -> str | None:
        return "label" if _CLASSES[self.kind] else None

    def raw_classes(self) -> Mapping[str, Sequence[Any]]:
        return self.classes or _CLASSES[self.kind]

    def own_splits(self) -> Collection[str]:
        return SPLITS

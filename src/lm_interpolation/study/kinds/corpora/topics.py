"""The source topics."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.corpora.base import Source
from lm_interpolation.study.kinds.corpora.synthetic import Counts, Shard

_CLASSES: dict[str, list[Any]] = {"arts": ["film", "book", "album"], "places": ["restaurant", "hotel"]}


class Topics(Source):
    """Reviews of the built-in generator by topic."""

    SCRIPT: ClassVar[str] = "data/corpus_topics.py"

    source: Literal["topics"] = Field(
        description="Reviews of the built-in generator, labelled by what they are about, equally many of each level."
    )
    counts: Counts = Field(description="Number of texts per split.")
    shard: Maybe[Shard] = Field(
        default=None,
        description=(
            "Take only shard number index of count; different shards have no text in common, those of the source "
            "synthetic included."
        ),
    )

    def label_column(self) -> str | None:
        return "topic"

    def raw_classes(self) -> Mapping[str, Sequence[Any]]:
        return self.classes or _CLASSES

    def own_splits(self) -> Collection[str]:
        return SPLITS

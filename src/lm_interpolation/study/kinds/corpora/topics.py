"""The source topics."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.study.kinds.base import Maybe, Problem, Text, undeclared
from lm_interpolation.study.kinds.corpora.base import Source
from lm_interpolation.study.kinds.corpora.synthetic import Counts, Shard

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

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

    label_words: Maybe[Annotated[dict[str, Text], MinLen(1)]] = Field(
        default=None,
        description=(
            "Topic to the word that ends its texts (Topic: arts.), so that a language model learns to name topics by "
            "this scheme; by default they end without."
        ),
    )

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        if self.label_words is None:
            return
        known = [topic for topics in _CLASSES.values() for topic in topics]
        for topic in self.label_words:
            if topic not in known:
                yield "label_words", undeclared("topic", topic, known)
        if lacking := [topic for topic in known if topic not in self.label_words]:
            yield "label_words", f"no word for {', '.join(lacking)}; give each topic one"

    def label_column(self) -> str | None:
        return "topic"

    def raw_classes(self) -> Mapping[str, Sequence[Any]]:
        return self.classes or _CLASSES

    def own_splits(self) -> Collection[str]:
        return SPLITS

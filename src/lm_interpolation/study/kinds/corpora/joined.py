"""A corpus whose classes are other corpora."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.study.kinds.base import Maybe, Name, NonNegativeInt, Problem, Ref
from lm_interpolation.study.kinds.corpora.base import Corpus, Limit
from lm_interpolation.study.kinds.corpora.share import ShareOfCorpus

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class JoinedCorpus(Corpus):
    """Other corpora of the study as the classes of one."""

    SCRIPT: ClassVar[str] = "data/join_corpora.py"

    classes_from: Annotated[dict[Name, Annotated[Name, Ref("corpora", stored=True)]], MinLen(2)] = Field(
        description="Instead of source: class name to the name of another corpus of this file. Each split holds the "
        "texts of that split of these corpora, whose own labels do not count."
    )
    limit: Maybe[Limit] = Field(
        default=None,
        description="Take a random subset of this many texts of a split, equally many of each class as far as it has "
        "them.",
    )
    seed: NonNegativeInt = Field(default=0, description="Seed of the subset.")

    def joined_corpora(self) -> list[str]:
        return [self.classes_from[class_name] for class_name in sorted(self.classes_from)]

    def class_names(self, config: "StudyConfig") -> list[str]:
        return sorted(self.classes_from)

    def settings(self, name: str, config: "StudyConfig") -> dict[str, Any]:
        """``corpus``: its keys in the study."""
        return {"corpus": self.plain()}

    def resolved(self, name: str, config: "StudyConfig") -> dict[str, Any]:
        return {
            "source": "join",
            "label": "label",
            "classes": {class_name: [class_name] for class_name in self.class_names(config)},
        }

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        seen: dict[str, str] = {}
        for class_name, parent in self.classes_from.items():
            key, corpus = f"classes_from.{class_name}", config.corpora[parent]
            if parent in seen:
                yield key, f"{parent!r} is class {seen[parent]} already; give each class a corpus of its own"
            seen.setdefault(parent, class_name)
            if corpus.joined_corpora():
                yield key, f"{parent!r} has its classes from other corpora itself; name these"
            elif isinstance(corpus, ShareOfCorpus) and config.corpora[corpus.split_from].joined_corpora():
                yield key, f"{parent!r} is a part of a corpus that has its classes from others; split these instead"
        for split in SPLITS:
            size = getattr(self.limit, split, None)
            least = len(self.classes_from)
            if size is not None and size < least:
                yield f"limit.{split}", f"{size} is less than one text of each class; give at least {least}"

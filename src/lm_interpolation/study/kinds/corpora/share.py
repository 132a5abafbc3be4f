"""A corpus that is a share of another one."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe, Name, NonNegativeInt, Problem, Ref, Share
from lm_interpolation.study.kinds.corpora.base import Corpora, Corpus, Limit

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class ShareOfCorpus(Corpus):
    """A part of another corpus of the study; parts do not overlap."""

    SCRIPT: ClassVar[str] = "data/split_corpus.py"

    split_from: Annotated[Name, Ref("corpora", stored=True)] = Field(
        description="Instead of source: the name of another corpus of this file. This corpus is a part of it; parts do "
        "not overlap."
    )
    share: Share = Field(
        description="The share of that corpus's train, dev and test splits; shares follow one another in the order of "
        "declaration."
    )
    limit: Maybe[Limit] = Field(default=None, description="Take a random subset of this many texts of a split.")
    seed: NonNegativeInt = Field(default=0, description="Seed of the subset.")

    def is_share(self) -> bool:
        return True

    def class_names(self, config: "StudyConfig") -> list[str]:
        return config.corpora[self.split_from].class_names(config)

    def settings(self, name: str, config: "StudyConfig") -> dict[str, Any]:
        """``corpus``: its keys in the study, its classes, and where it begins among the shares of its parent."""
        corpus = self.plain() | {"offset": float(self.end_of(name, config.corpora) - Decimal(str(self.share)))}
        if classes := self.class_names(config):
            corpus |= {"classes": {class_name: [class_name] for class_name in classes}}
        return {"corpus": corpus}

    def resolved(self, name: str, config: "StudyConfig") -> dict[str, Any]:
        corpus = self.settings(name, config)["corpus"]
        found = {"source": "split", "offset": corpus["offset"]}
        return found | {"label": "label", "classes": corpus["classes"]} if "classes" in corpus else found

    def end_of(self, name: str, corpora: Corpora) -> Decimal:
        """The sum of its parent's shares up to and including this one, called ``name``."""
        total = Decimal(0)
        for other, corpus in corpora.items():
            if isinstance(corpus, ShareOfCorpus) and corpus.split_from == self.split_from:
                total += Decimal(str(corpus.share))
            if other == name:
                break
        return total

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        corpora: Corpora = config.corpora
        parent = self.split_from
        if corpora[parent].is_share():
            yield "split_from", f"{parent!r} is a share itself; split the corpus that it comes from"
        elif corpora[parent].is_stream():
            yield "split_from", f"{parent!r} is a stream; choose a corpus that is stored"
        (name,) = (name for name, corpus in corpora.items() if corpus is self)
        if (total := self.end_of(name, corpora)) > 1:
            yield (
                "share",
                (f"the shares of {parent!r} sum up to {total} with this one; lower them to at most 1 together"),
            )

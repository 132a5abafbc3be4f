"""What every kind of statistic of a model declares."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from pydantic import Field

from lm_interpolation.study.kinds.base import CorpusName, Count, Declaration, Maybe, Name, Names, Problem, undeclared

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Taken(NamedTuple):
    """The texts that a statistic is taken on: the first ``limit`` of each of ``classes``, or of all texts together."""

    corpus: str
    split: str
    classes: list[str]
    limit: int


class ModelStatistic(Declaration):
    """What the data say about each weight or layer of a model; a job for each model writes it to a file."""

    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (("classes", "corpus"),)

    kind: str = Field(description="Kind of statistic.")
    corpus: Maybe[CorpusName] = Field(
        default=None,
        description="Corpus of the texts, for all models; by default each model's own training corpus and class.",
    )
    classes: Maybe[Names[Name]] = Field(
        default=None, description="Only texts of these classes of the corpus; by default all texts."
    )
    split: Literal["train", "dev"] = Field(default="train", description="Split of the corpus.")
    limit: Count = Field(default=256, description="Number of texts, of each class, taken from the beginning.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        if self.corpus is None:
            return
        corpus = config.corpora[self.corpus]
        if self._is_gone(config, self.corpus):
            yield "split", f"the stream {self.corpus!r} has no stored training texts; use dev"
        known = corpus.class_names(config)
        for name in self.classes or []:
            if name not in known:
                yield "classes", undeclared("class", name, known)

    def taken(self, config: "StudyConfig", model: str) -> Taken | None:
        """The texts for a model; None if it has learnt from none of its own, and no corpus is named."""
        if self.corpus is not None:
            return Taken(self.corpus, self.split, self.classes or [], self.limit)
        data = config.models[model].data
        if data is None:
            return None
        classes = [] if data.class_ is None else [data.class_]
        few = self.split == "train" and data.limit is not None
        return Taken(data.corpus, self.split, classes, min(self.limit, data.limit or 0) if few else self.limit)

    def problem(self, config: "StudyConfig", name: str, model: str) -> str | None:
        """Why this statistic, called ``name``, cannot be taken of a model; None if it can."""
        taken = self.taken(config, model)
        if taken is None:
            return (
                f"statistic {name!r} needs texts, but model {model!r} has no training data; name a corpus at "
                f"statistics.{name}.corpus"
            )
        if self._is_gone(config, taken.corpus):
            return (
                f"statistic {name!r} needs training texts, but model {model!r} learnt from the stream "
                f"{taken.corpus!r}, of which none are stored; set statistics.{name}.split to dev, or name a corpus "
                "there"
            )
        return None

    def _is_gone(self, config: "StudyConfig", corpus: str) -> bool:
        return self.split == "train" and config.corpora[corpus].is_stream()

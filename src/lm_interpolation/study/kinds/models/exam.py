"""The exam of a judge."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import (
    PRECISION,
    Declaration,
    Maybe,
    Name,
    Precision,
    Problem,
    Ref,
    Share,
    Unique,
    undeclared,
)

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.models.model import Model
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Exam(Declaration):
    """Labelled texts on which a judge is measured, the test split of a corpus, and what it should reach there."""

    corpus: Maybe[Annotated[Name, Ref("corpora", stored=True)]] = Field(
        default=None, description="Corpus whose test texts it reads; by default the corpus that it was trained on."
    )
    classes: Maybe[Annotated[Unique[Name], MinLen(2)]] = Field(
        default=None,
        description=(
            "Read only the texts of these classes of the corpus; by default of all. If the judge has further classes, "
            "its guess is the likeliest of these."
        ),
    )
    labels: Maybe[dict[str, str]] = Field(
        default=None,
        description="The classifier's label to the class of the corpus, for example LABEL_0 to negative.",
    )
    accuracy: Maybe[Share] = Field(
        default=None,
        description=(
            "Our mark: with a lower accuracy the judge is weak. It replaces the rule on the share of the most "
            "frequent class."
        ),
    )
    baseline: Maybe[Literal["tfidf", "none"]] = Field(
        default=None,
        description=(
            "What reads the same texts beside it: a logistic regression on TF-IDF of words and pairs of words that "
            "learns from the judge's training texts (tfidf, the default of a judge that is trained here), or none."
        ),
    )
    precision: Precision = Field(default="fp32", description=PRECISION)

    def corpus_of(self, model: "Model") -> str:
        """The corpus whose test texts ``model`` reads."""
        if self.corpus is not None:
            return self.corpus
        assert model.data is not None
        return model.data.corpus

    def classes_of(self, model: "Model", config: "StudyConfig") -> list[str]:
        """The classes of the texts that ``model`` reads, in the order of those of the corpus."""
        every = config.corpora[self.corpus_of(model)].class_names(config)
        return [name for name in every if self.classes is None or name in self.classes]

    def baseline_of(self, model: "Model") -> str:
        """What reads the texts beside ``model``."""
        return self.baseline or ("none" if model.data is None else "tfidf")

    def marks(self) -> dict[str, float]:
        """What decides, apart from the results, whether the judge is weak."""
        return {} if self.accuracy is None else {"mark": self.accuracy}

    def settings(self, model: "Model", config: "StudyConfig") -> dict[str, Any]:
        """Settings of its job, without the bootstrap."""
        return {
            "corpus": self.corpus_of(model),
            "classes": self.classes_of(model, config),
            "labels": self.labels,
            "precision": self.precision,
            "baseline": self.baseline_of(model),
        }

    def problems(self, model: "Model", config: "StudyConfig") -> Iterator[Problem]:
        """Mistakes in the exam of the classifier ``model``."""
        if model.data is None and self.corpus is None:
            yield "corpus", "missing; an imported classifier has no corpus of its own"
            return
        if model.data is None and self.baseline == "tfidf":
            yield "baseline", "an imported classifier has no training texts here to learn from; remove it"
        place, name = "corpus" if self.corpus else "", self.corpus_of(model)
        every = config.corpora[name].class_names(config)
        if len(every) < 2:
            yield place, f"{name!r} has no classes to tell apart; choose a labelled corpus"
            return
        for chosen in self.classes or []:
            if chosen not in every:
                yield "classes", undeclared("class", chosen, every)
        if model.data is not None:
            yield from self.class_problems(
                config.corpora[model.data.corpus].class_names(config), "class", model, config
            )

    def class_problems(
        self, known: Sequence[str], noun: str, model: "Model", config: "StudyConfig"
    ) -> Iterator[Problem]:
        """Classes that do not fit those that the judge knows, each called ``noun``."""
        wrong = [label for label in self.labels or {} if label not in known]
        for label in wrong:
            yield "labels", undeclared(noun, label, known)
        named = [(self.labels or {}).get(label, label) for label in known]
        if not wrong and len(set(named)) < len(named):
            yield "labels", f"two classes of the judge would have one name ({', '.join(named)}); give each its own"
        for chosen in [] if wrong else self.classes_of(model, config):
            if chosen not in named:
                yield (
                    "classes",
                    f"the judge has no class {chosen!r}, it has {', '.join(named)}; correct labels or classes",
                )

"""Models that are made of others without training: uniform and greedy soups.

Source: Wortsman et al. 2022, arXiv 2203.05482.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, Tag

from lm_interpolation.study.kinds.base import (
    TASKS,
    CorpusName,
    Count,
    Declaration,
    Either,
    LanguageModel,
    Maybe,
    Name,
    Names,
    Problem,
    SetName,
)
from lm_interpolation.study.kinds.checks import check_class
from lm_interpolation.study.kinds.models.base import Origin

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

Ingredients = Annotated[
    str | list[str],
    Either([Annotated[SetName, Tag("a string")], Annotated[Names[LanguageModel], Tag("a list")]]),
]
"""The name of a set, or a list of names of models."""


class Soup(Origin):
    """A mean of models of one architecture."""

    DERIVED: ClassVar[bool] = True

    def ingredients(self) -> str | list[str]:
        """The name of a set, or names of models, as declared."""
        raise NotImplementedError

    def needs(self) -> list[tuple[str, str]]:
        found = self.ingredients()
        return [("sets", found)] if isinstance(found, str) else [("models", model) for model in found]

    def resolved(self, config: "StudyConfig") -> dict[str, Any]:
        return {self.KEY: self.parents(config)}

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        for model in self.parents(config):
            if config.models[model].task != "language-model":
                yield self.KEY, f"{model!r} is {TASKS[config.models[model].task]}; choose a set of language models"


class FromMean(Soup):
    """The mean of all weights: a uniform soup, or the centroid of a set."""

    KEY: ClassVar[str] = "mean"

    mean: Ingredients = Field(
        description="Name of a set, or list of models: each weight is the exact mean of theirs, rounded to float32."
    )

    def ingredients(self) -> str | list[str]:
        return self.mean


class SoupLoss(Declaration):
    """Texts by whose loss a greedy soup chooses."""

    corpus: CorpusName = Field(description="Name of the corpus of the texts.")
    split: Literal["dev"] = Field(default="dev", description="Its split; the test split is for what is reported.")
    class_: Maybe[Name] = Field(default=None, alias="class", description="Only the texts of this class.")
    limit: Maybe[Count] = Field(default=None, description="Number of texts, taken from the beginning; by default all.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from check_class(config, self.corpus, self.class_, "class")


class FromGreedy(Soup):
    """The mean of those models that make it better, one after the other, the best first: a greedy soup."""

    KEY: ClassVar[str] = "greedy"

    greedy: Ingredients = Field(
        description="Name of a set, or list of models: from the one of the lowest loss on, each is taken in if that "
        "lowers the loss of the mean."
    )
    loss: SoupLoss = Field(description="What decides: the mean NLL per token of these texts.")

    def ingredients(self) -> str | list[str]:
        return self.greedy

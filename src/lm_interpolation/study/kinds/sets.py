"""Sets: named groups of models."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from lm_interpolation.study.kinds.base import (
    CorpusName,
    Declaration,
    Maybe,
    Name,
    Names,
    Problem,
    Ref,
    SetName,
    Text,
)
from lm_interpolation.study.kinds.checks import check_class

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Learnt(Declaration):
    """The texts that the models of a set learnt from."""

    corpus: CorpusName = Field(description="Name of the corpus.")
    class_: Maybe[Name] = Field(default=None, alias="class", description="Only the texts of this class.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from check_class(config, self.corpus, self.class_, "class")


class ModelSet(Declaration):
    """A named group of models. The members of other sets come after its own; a model that occurs twice counts once."""

    models: Maybe[Names[Annotated[Name, Ref("models")]]] = Field(
        default=None, description="Names of models, or of families of replicates, which stand for all their members."
    )
    sets: Maybe[Names[SetName]] = Field(default=None, description="Names of other sets, whose members it has too.")
    labels: dict[Name, Text] = Field(
        default_factory=dict, description="What its models have in common, such as the data set or the task."
    )
    corpus: Maybe[Learnt] = Field(
        default=None,
        description="The texts that its models learnt from. Analyses of regions measure losses on its test split.",
    )

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        if self.models is None and self.sets is None:
            yield "", "has neither models nor sets; name some"

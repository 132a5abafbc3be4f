"""The analysis loss."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.base import CorpusName, Count, Maybe, Name, Names, Ref, TooLong


class Loss(Analysis):
    """NLL of real texts at all points of a sweep, which are merged in memory."""

    SCRIPT: ClassVar[str] = "analyses/loss.py"

    kind: Literal["loss"] = Field(description="NLL of real texts at all points of a sweep, which are merged in memory.")
    sweep: Annotated[Name, Ref("sweeps", space="weights")] = Field(description="Name of the sweep.")
    corpus: CorpusName = Field(description="Name of the corpus of the texts.")
    split: Literal["dev", "test"] = Field(default="test", description="Split of the corpus.")
    classes: Maybe[Names[Name]] = Field(
        default=None, description="Classes of texts, each apart; by default all texts together."
    )
    limit: Maybe[Count] = Field(default=None, description="The first so many texts of each class, by default all.")
    too_long: TooLong = Field(
        default="error",
        description=("Texts beyond the models' context: an error, or their end is cut, or they are dropped."),
    )

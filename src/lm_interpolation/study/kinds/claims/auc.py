"""The claim auc."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST
from lm_interpolation.study.kinds.base import Name, Problem, Ref
from lm_interpolation.study.kinds.claims.base import Claim, alike

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class AucClaim(Claim):
    """The tuning contribution tells the texts of one group from those of another."""

    SECTION: ClassVar[str] = "Methods"
    STATEMENT: ClassVar[str] = "In {analysis}, the tuning contribution tells {group} texts from {against} ones"
    STATISTIC: ClassVar[str] = (
        "AUC of the tuning contribution: probability that it is larger for a {group} text than for a {against} one"
    )
    UNIT: ClassVar[str] = "probability"
    SIDE: ClassVar[str] = AT_LEAST

    test: Literal["auc"] = Field(description="AUC of the tuning contribution as a classifier of texts.")
    analysis: Annotated[Name, Ref("analyses", kind="tuning_contribution")] = Field(description="Name of the analysis.")
    group: Annotated[str, Ref("analyses.{analysis}.groups")] = Field(
        description="The group whose texts are claimed to have the larger tuning contribution."
    )
    against: Annotated[str, Ref("analyses.{analysis}.groups")] = Field(
        description="The group that they are told apart from."
    )

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        if self.group == self.against:
            yield alike("against", "group", self.group)

    def analysis_read(self) -> str:
        return self.analysis

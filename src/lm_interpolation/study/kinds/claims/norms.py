"""The claim norms."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.base import Name, Problem, Ref
from lm_interpolation.study.kinds.claims.base import Claim, alike

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class NormsClaim(Claim):
    """One pair of models differs far less in weights than another."""

    SECTION: ClassVar[str] = "5.3"
    STATEMENT: ClassVar[str] = "{pair} differ far less in weights than {against}"
    STATISTIC: ClassVar[str] = "scaled norm of the weight difference, {pair} / {against}, median over tensors"
    UNIT: ClassVar[str] = "ratio"
    SIDE: ClassVar[str] = AT_MOST

    test: Literal["norms"] = Field(
        description="Scaled norm of the weight difference, pair / against, median over tensors."
    )
    analysis: Annotated[Name, Ref("analyses", kind="norms")] = Field(description="Name of the analysis.")
    pair: Annotated[str, Ref("analyses.{analysis}.pairs")] = Field(description="Label of the pair of models.")
    against: Annotated[str, Ref("analyses.{analysis}.pairs")] = Field(
        description="Label of the pair it is compared with."
    )

    def analysis_read(self) -> str:
        return self.analysis

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        if self.pair == self.against:
            yield alike("against", "pair", self.pair)

"""The claim words."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.claims.base import Claim, Range


class WordsClaim(Claim):
    """The probabilities of words rise, or fall, along a sweep."""

    SECTION: ClassVar[str] = "4.1"
    STATEMENT: ClassVar[str] = (
        "The next-token probabilities of the {group} words are {direction} monotonically over {within}"
    )
    STATISTIC: ClassVar[str] = (
        "Spearman correlation of P(word) with the coordinate, positive where {direction}, median over words"
    )
    UNIT: ClassVar[str] = "correlation"
    SIDE: ClassVar[str] = AT_LEAST

    test: Literal["words"] = Field(
        description=(
            "Spearman correlation of P(word) with the coordinate, positive where direction, median over words."
        )
    )
    analysis: Annotated[Name, Ref("analyses", kind="next_token")] = Field(description="Name of the analysis.")
    within: Range = Field(description="Range of the coordinate.")
    direction: Literal["rising", "falling"] = Field(description="Whether values should rise or fall.")
    group: Annotated[str, Ref("analyses.{analysis}.words")] = Field(description="Group of words.")

    def analysis_read(self) -> str:
        return self.analysis

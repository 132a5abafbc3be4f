"""The claim words."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.claims.base import Claim, Range


class WordsClaim(Claim):
    """The test words."""

    test: Literal["words"] = Field(
        description=(
            "Spearman correlation of P(word) with the coordinate, positive where direction, median over words."
        )
    )
    analysis: Annotated[Name, Ref("analyses", kind="next_token")] = Field(description="Name of the analysis.")
    within: Range = Field(description="Range of the coordinate.")
    direction: Literal["rising", "falling"] = Field(description="Whether values should rise or fall.")
    group: Annotated[str, Ref("analyses.{analysis}.words")] = Field(description="Group of words.")

"""The claim difference."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, PromptsName, Ref, ScorerName
from lm_interpolation.study.kinds.claims.base import Claim, Range


class DifferenceClaim(Claim):
    """The test difference."""

    test: Literal["difference"] = Field(
        description="Scorer statistic: largest difference between sweep and other at one coordinate."
    )
    sweep: Annotated[Name, Ref("sweeps", directions=1, texts=True)] = Field(description="Name of the sweep.")
    other: Annotated[Name, Ref("sweeps", directions=1, texts=True)] = Field(description="Name of the other sweep.")
    prompts: PromptsName = Field(description="Name of the prompt set.")
    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Statistic of the scorer or of the loss.")
    within: Range = Field(description="Range of the coordinate.")
    scale: Literal["linear", "log"] = Field(
        description="Whether values are compared as they are (linear) or by their logarithms (log)."
    )

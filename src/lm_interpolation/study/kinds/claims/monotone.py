"""The claim monotone."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, PromptsName, Ref, ScorerName
from lm_interpolation.study.kinds.claims.base import Claim, Range


class MonotoneClaim(Claim):
    """The test monotone."""

    test: Literal["monotone"] = Field(
        description=("Spearman correlation of scorer statistic with the coordinate, positive where direction.")
    )
    sweep: Annotated[Name, Ref("sweeps", directions=1, texts=True)] = Field(description="Name of the sweep.")
    prompts: PromptsName = Field(description="Name of the prompt set.")
    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Statistic of the scorer or of the loss.")
    within: Range = Field(description="Range of the coordinate.")
    direction: Literal["rising", "falling"] = Field(description="Whether values should rise or fall.")

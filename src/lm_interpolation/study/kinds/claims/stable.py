"""The claim stable."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, PromptsName, Ref, ScorerName
from lm_interpolation.study.kinds.claims.base import Claim, Range


class StableClaim(Claim):
    """The test stable."""

    test: Literal["stable"] = Field(
        description="Scorer statistic: how much worse it gets over within than anywhere in [0, 1]."
    )
    sweep: Annotated[Name, Ref("sweeps", directions=1, texts=True)] = Field(description="Name of the sweep.")
    prompts: PromptsName = Field(description="Name of the prompt set.")
    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Statistic of the scorer or of the loss.")
    within: Range = Field(description="Range of the coordinate.")
    scale: Literal["linear", "log"] = Field(
        description="Whether values are compared as they are (linear) or by their logarithms (log)."
    )
    worse: Literal["higher", "lower"] = Field(description="The side on which a change is a loss of quality.")

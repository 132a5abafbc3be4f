"""The claim middle."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe, Name, PromptsName, Ref, ScorerName
from lm_interpolation.study.kinds.claims.base import Claim, Range


class MiddleClaim(Claim):
    """The test middle."""

    test: Literal["middle"] = Field(description="Scorer statistic: how far every point in within lies sign both ends.")
    sweep: Annotated[Name, Ref("sweeps", directions=1, texts=True)] = Field(description="Name of the sweep.")
    prompts: PromptsName = Field(description="Name of the prompt set.")
    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Statistic of the scorer or of the loss.")
    within: Maybe[Range] = Field(default=None, description="Range of the coordinate.")
    scale: Literal["linear", "log"] = Field(
        description="Whether values are compared as they are (linear) or by their logarithms (log)."
    )
    sign: Literal["above", "below"] = Field(
        description=(
            "Whether lower or higher values are better. middle: whether the middle lies above or below both ends."
        )
    )

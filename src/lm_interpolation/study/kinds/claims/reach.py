"""The claim reach."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, PromptsName, Ref, ScorerName
from lm_interpolation.study.kinds.claims.base import Claim


class ReachClaim(Claim):
    """The test reach."""

    test: Literal["reach"] = Field(description="Scorer statistic: highest value of sweep minus highest value of than.")
    sweep: Annotated[Name, Ref("sweeps", directions=1, texts=True)] = Field(description="Name of the sweep.")
    than: Annotated[Name, Ref("sweeps", directions=1, texts=True)] = Field(
        description="Name of the sweep it is compared with."
    )
    prompts: PromptsName = Field(description="Name of the prompt set.")
    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Statistic of the scorer or of the loss.")

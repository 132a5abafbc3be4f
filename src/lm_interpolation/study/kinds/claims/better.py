"""The claim better."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe, Name, Number, PromptsName, Ref, ScorerName
from lm_interpolation.study.kinds.claims.base import Claim, Score


class BetterClaim(Claim):
    """The test better."""

    test: Literal["better"] = Field(
        description=("Scorer statistic: sweep minus than, mean over the common range of score_scorer score_statistic.")
    )
    sweep: Annotated[Name, Ref("sweeps", directions=1, texts=True)] = Field(description="Name of the sweep.")
    than: Annotated[Name, Ref("sweeps", directions=1, texts=True)] = Field(
        description="Name of the sweep it is compared with."
    )
    prompts: PromptsName = Field(description="Name of the prompt set.")
    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Statistic of the scorer or of the loss.")
    scale: Literal["linear", "log"] = Field(
        description="Whether values are compared as they are (linear) or by their logarithms (log)."
    )
    sign: Literal["lower", "higher"] = Field(
        description=(
            "Whether lower or higher values are better. middle: whether the middle lies above or below both ends."
        )
    )
    score: Score = Field(description="The statistic at equal values of which the sweeps are compared.")
    from_score: Maybe[Number] = Field(
        default=None, description="Lower end of the range of scores, by default the score of the other sweep at 1."
    )

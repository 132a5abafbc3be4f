"""The claim valley."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe, Name, Number, PromptsName, Ref, ScorerName, Share
from lm_interpolation.study.kinds.claims.base import Claim


class ValleyClaim(Claim):
    """The test valley."""

    # Either sweep, prompts and scorer, or analysis and class.
    test: Literal["valley"] = Field(
        description=(
            "What: mean distance of the sum of coordinates from sum, over the share lowest of grid points with "
            "the lowest values."
        )
    )
    sweep: Maybe[Annotated[Name, Ref("sweeps", directions=2, texts=True)]] = Field(
        default=None, description="Name of the sweep."
    )
    prompts: Maybe[PromptsName] = Field(default=None, description="Name of the prompt set.")
    scorer: Maybe[ScorerName] = Field(default=None, description="Name of the scorer.")
    analysis: Maybe[Annotated[Name, Ref("analyses", kind="loss", along=2)]] = Field(
        default=None, description="Name of the analysis."
    )
    class_: Maybe[Annotated[str, Ref("analyses.{analysis}.classes")]] = Field(
        default=None, alias="class", description="Class of a loss analysis."
    )
    statistic: str = Field(description="Statistic of the scorer or of the loss.")
    sum: Maybe[Number] = Field(default=None, description="Sum of the coordinates on the line in question.")
    lowest: Maybe[Share] = Field(default=None, description="Share of the points that make the valley.")

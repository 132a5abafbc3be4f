"""The claim barrier."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, PromptsName, Ref
from lm_interpolation.study.kinds.claims.base import Claim


class BarrierClaim(Claim):
    """The test barrier."""

    test: Literal["barrier"] = Field(
        description="Log corpus perplexity (scorer): largest height above the chord from 0 to 1."
    )
    sweep: Annotated[Name, Ref("sweeps", directions=1, texts=True)] = Field(description="Name of the sweep.")
    prompts: PromptsName = Field(description="Name of the prompt set.")
    scorer: Annotated[Name, Ref("scorers", kind="perplexity")] = Field(description="Name of the scorer.")

"""The analysis next_token."""

from typing import Annotated, ClassVar, Literal

from annotated_types import Len
from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.base import WORDS, Count, Name, Number, Ref, Text, Words


class NextToken(Analysis):
    """Probabilities of words after a prompt along a sweep of one direction."""

    SCRIPT: ClassVar[str] = "analyses/next_token.py"

    kind: Literal["next_token"] = Field(
        description="Probabilities of words after a prompt along a sweep of one direction."
    )
    sweep: Annotated[Name, Ref("sweeps", directions=1, space="weights")] = Field(description="Name of the sweep.")
    prompt: Text = Field(description="The text before the words.")
    words: Words = Field(description=WORDS)
    top: Count = Field(default=8, description="Number of tokens that rise, and that fall, most.")
    ends: Annotated[list[Number], Len(2, 2)] = Field(
        default=[0, 1], description="The two values of the coordinate between which tokens rise and fall."
    )

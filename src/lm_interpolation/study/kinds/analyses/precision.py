"""The analysis precision."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.base import Count, Name, NonNegative, PromptsName, Ref, Values


class PrecisionAnalysis(Analysis):
    """Texts and scores of a sample in fp32 and in the precision of the study. An error if they differ too much."""

    SCRIPT: ClassVar[str] = "analyses/precision.py"

    kind: Literal["precision"] = Field(
        description=(
            "Texts and scores of a sample in fp32 and in the precision of the study. An error if they differ too much."
        )
    )
    sweep: Annotated[Name, Ref("sweeps", directions=1, texts=True, space="weights")] = Field(
        description="Name of a sweep of one direction in the space of weights, with these prompts."
    )
    at: Values = Field(description="Values of its coordinate.")
    prompts: PromptsName = Field(description="Name of the prompt set.")
    prefixes: Count = Field(default=20, description="Number of prompts, the first ones.")
    threshold: NonNegative = Field(
        description=("Largest difference of a mean score, and largest relative difference of a perplexity.")
    )
    reason: str = Field(description="Why this threshold.")

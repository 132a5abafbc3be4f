"""The analysis cost."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.base import Count, Name, PromptsName, Ref, Values


class Cost(Analysis):
    """Time and memory of generation from merged weights and from the ensemble of the same points."""

    SCRIPT: ClassVar[str] = "analyses/cost.py"

    kind: Literal["cost"] = Field(
        description=("Time and memory of generation from merged weights and from the ensemble of the same points.")
    )
    sweep: Annotated[Name, Ref("sweeps", directions=1, space="weights")] = Field(
        description="Name of a sweep of one direction in the space of weights."
    )
    at: Values = Field(description="Values of its coordinate.")
    prompts: PromptsName = Field(description="Name of the prompt set.")
    prefixes: Count = Field(default=20, description="Number of prompts, the first ones.")
    repeats: Count = Field(default=3, description="Measurements of each, in turn.")

"""The analysis linearity."""

from typing import Annotated, ClassVar, Literal

from annotated_types import Len
from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.base import WORDS, Count, Name, Positive, PromptsName, Ref, Words


class Linearity(Analysis):
    """The model over a plane against its first-order expansion around the origin (paper, Eq. 5)."""

    SCRIPT: ClassVar[str] = "analyses/linearity.py"

    kind: Literal["linearity"] = Field(
        description=("The model over a plane against its first-order expansion around the origin (paper, Eq. 5).")
    )
    sweep: Annotated[Name, Ref("sweeps", directions=2, space="weights")] = Field(
        description="Name of the sweep; it has two directions, and a single model as origin."
    )
    prompts: PromptsName = Field(description="Name of the prompt set whose first texts are the prefixes.")
    prefixes: Count = Field(default=20, description="Number of prefixes.")
    words: Annotated[Words, Len(2, 2)] = Field(description=WORDS)
    tolerance: Positive = Field(default=0.1, description="Relative error up to which a point counts as linear.")

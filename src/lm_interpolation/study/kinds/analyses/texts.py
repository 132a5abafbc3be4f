"""The analysis texts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.base import Count, Name, Names, PromptsName, Ref, Values


class Texts(Analysis):
    """Generated texts of several sweeps at the same coordinates, side by side."""

    SCRIPT: ClassVar[str] = "analyses/texts_table.py"

    kind: Literal["texts"] = Field(
        description="Generated texts of several sweeps at the same coordinates, side by side."
    )
    sweeps: Names[Annotated[Name, Ref("sweeps", directions=1, texts=True)]] = Field(
        description="Names of sweeps of one direction with these prompts."
    )
    prompts: PromptsName = Field(description="Name of the prompt set.")
    prefixes: Count = Field(
        default=20, description="Number of prompts, the first ones, each with its first continuation."
    )
    at: Values = Field(description="Values of their coordinate.")

"""The figure barrier."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.figures.base import Figure


class BarrierFigure(Figure):
    """Barriers and the curves above their chords."""

    SCRIPT: ClassVar[str] = "figures/barrier.py"

    kind: Literal["barrier"] = Field(description="Barriers and the curves above their chords.")
    analysis: Annotated[Name, Ref("analyses", kind="barrier")] = Field(description="Name of the analysis.")

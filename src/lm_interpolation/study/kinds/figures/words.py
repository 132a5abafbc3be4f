"""The figure words."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import SCALE, Name, Ref, Scale
from lm_interpolation.study.kinds.figures.base import Figure


class WordsFigure(Figure):
    """Probabilities of words along a sweep."""

    SCRIPT: ClassVar[str] = "figures/words.py"

    kind: Literal["words"] = Field(description="Probabilities of words along a sweep.")
    analysis: Annotated[Name, Ref("analyses", kind="next_token")] = Field(description="Name of the analysis.")
    scale: Scale = Field(default="linear", description=SCALE)

"""The figure linearity."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.figures.base import Figure


class LinearityFigure(Figure):
    """Relative error of the expansion over the plane."""

    SCRIPT: ClassVar[str] = "figures/linearity.py"

    kind: Literal["linearity"] = Field(description="Relative error of the expansion over the plane.")
    analysis: Annotated[Name, Ref("analyses", kind="linearity")] = Field(description="Name of the analysis.")

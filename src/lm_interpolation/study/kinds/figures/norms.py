"""The figure norms."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.figures.base import Figure


class NormsFigure(Figure):
    """Norms of differences of weights by depth."""

    SCRIPT: ClassVar[str] = "figures/norms.py"

    kind: Literal["norms"] = Field(description="Norms of differences of weights by depth.")
    analysis: Annotated[Name, Ref("analyses", kind="norms")] = Field(description="Name of the analysis.")

"""The figure traverse."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.figures.base import AnalysisFigure

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


class TraverseFigure(AnalysisFigure):
    """Losses between and beyond pairs of models, and from the centroid of all outwards."""

    SCRIPT: ClassVar[str] = "figures/plot_traverse.py"
    CAPTION: ClassVar[str] = "figures/caption_traverse.py"

    kind: Literal["traverse"] = Field(
        description="Losses between and beyond pairs of models, and from the centroid of all outwards."
    )
    analysis: Annotated[Name, Ref("analyses", kind="traverse")] = Field(description="Name of the analysis.")

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {}

    def settings(self, study: "Study") -> dict[str, Any]:
        return {}

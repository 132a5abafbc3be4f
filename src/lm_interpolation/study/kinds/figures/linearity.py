"""The figure linearity."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.figures.base import AnalysisFigure

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


class LinearityFigure(AnalysisFigure):
    """Relative error of the expansion over the plane."""

    SCRIPT: ClassVar[str] = "figures/plot_linearity.py"
    CAPTION: ClassVar[str] = "figures/caption_linearity.py"

    kind: Literal["linearity"] = Field(description="Relative error of the expansion over the plane.")
    analysis: Annotated[Name, Ref("analyses", kind="linearity")] = Field(description="Name of the analysis.")

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.table(self.analysis), study.table(f"{self.analysis}_summary")]

    def inputs(self, study: "Study") -> dict[str, Any]:
        return dict(zip(("table", "summary"), self.tables_behind(study), strict=True))

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {"coordinate_labels": self.coordinate_labels(study.declared)}

    def settings(self, study: "Study") -> dict[str, Any]:
        return self.drawn(study)

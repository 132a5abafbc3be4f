"""The figure similarity."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.figures.base import AnalysisFigure

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


class SimilarityFigure(AnalysisFigure):
    """Cosines of the displacements of all pairs of models, grouped by their labels."""

    SCRIPT: ClassVar[str] = "figures/plot_similarity.py"
    CAPTION: ClassVar[str] = "figures/caption_similarity.py"

    kind: Literal["similarity"] = Field(
        description="Cosines of the displacements of all pairs of models, grouped by their labels."
    )
    analysis: Annotated[Name, Ref("analyses", kind="regions")] = Field(description="Name of the analysis.")

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.table(f"{self.analysis}{suffix}") for suffix in ("", "_places", "_clusters")]

    def inputs(self, study: "Study") -> dict[str, Any]:
        return {"pairs": study.table(self.analysis), "places": study.table(f"{self.analysis}_places")}

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {}

    def settings(self, study: "Study") -> dict[str, Any]:
        return {}

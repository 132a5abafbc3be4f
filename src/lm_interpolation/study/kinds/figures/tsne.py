"""The figure tsne."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.regions import Regions
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.figures.base import AnalysisFigure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class TsneFigure(AnalysisFigure):
    """A map of fine-tuned models in weight space, a panel per label."""

    SCRIPT: ClassVar[str] = "figures/plot_tsne.py"
    CAPTION: ClassVar[str] = "figures/caption_tsne.py"

    kind: Literal["tsne"] = Field(description="A map of fine-tuned models in weight space, a panel per label.")
    analysis: Annotated[Name, Ref("analyses", kind="regions")] = Field(description="Name of the analysis.")

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.table(f"{self.analysis}_places"), study.table(f"{self.analysis}_clusters")]

    def inputs(self, study: "Study") -> dict[str, Any]:
        return {"places": study.table(f"{self.analysis}_places")}

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {}

    def settings(self, study: "Study") -> dict[str, Any]:
        return {}

    def series(self, config: "StudyConfig") -> int:
        analysis = config.analyses[self.analysis]
        assert isinstance(analysis, Regions)
        return max(len(set(values)) for values in analysis.labels(config).values())

"""The figure intruders."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.intruders import Intruders
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.figures.base import AnalysisFigure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class IntrudersFigure(AnalysisFigure):
    """Intruder dimensions per matrix of several models: by the threshold, and by the block."""

    SCRIPT: ClassVar[str] = "figures/plot_intruders.py"
    CAPTION: ClassVar[str] = "figures/caption_intruders.py"

    kind: Literal["intruders"] = Field(
        description="Intruder dimensions per matrix of several models: by the threshold, and by the block."
    )
    analysis: Annotated[Name, Ref("analyses", kind="intruders")] = Field(description="Name of the analysis.")

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.table(self.analysis), study.table(f"{self.analysis}_thresholds")]

    def inputs(self, study: "Study") -> dict[str, Any]:
        matrices, thresholds = self.tables_behind(study)
        return {"matrices": matrices, "thresholds": thresholds}

    def drawn(self, study: "Study") -> dict[str, Any]:
        analysis = study.analysis(self.analysis)
        assert isinstance(analysis, Intruders)
        return {"k": analysis.k, "epsilon": analysis.epsilon}

    def settings(self, study: "Study") -> dict[str, Any]:
        return self.drawn(study)

    def series(self, config: "StudyConfig") -> int:
        analysis = config.analyses[self.analysis]
        assert isinstance(analysis, Intruders)
        return len(analysis.names(config))

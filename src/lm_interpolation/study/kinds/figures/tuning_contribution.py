"""The figure tuning_contribution."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.tuning_contribution import TuningContribution
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.figures.base import AnalysisFigure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class TuningContributionFigure(AnalysisFigure):
    """The tuning contribution to texts of each group, and to each block."""

    SCRIPT: ClassVar[str] = "figures/plot_tuning_contribution.py"
    CAPTION: ClassVar[str] = "figures/caption_tuning_contribution.py"

    kind: Literal["tuning_contribution"] = Field(
        description="The tuning contribution to texts of each group, and to each block."
    )
    analysis: Annotated[Name, Ref("analyses", kind="tuning_contribution")] = Field(description="Name of the analysis.")

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.table(f"{self.analysis}{suffix}") for suffix in TuningContribution.TABLES]

    def inputs(self, study: "Study") -> dict[str, Any]:
        texts, groups, blocks = self.tables_behind(study)
        return {"texts": texts, "groups": groups, "blocks": blocks}

    def series(self, config: "StudyConfig") -> int:
        analysis = config.analyses[self.analysis]
        assert isinstance(analysis, TuningContribution)
        return len(analysis.groups)

    def drawn(self, study: "Study") -> dict[str, Any]:
        analysis = study.analysis(self.analysis)
        assert isinstance(analysis, TuningContribution)
        return {"against": analysis.against}

    def settings(self, study: "Study") -> dict[str, Any]:
        return self.drawn(study)

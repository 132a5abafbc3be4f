"""The figure norms."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.norms import Norms
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.figures.base import AnalysisFigure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class NormsFigure(AnalysisFigure):
    """Norms of weight differences by depth."""

    SCRIPT: ClassVar[str] = "figures/plot_norms.py"
    CAPTION: ClassVar[str] = "figures/caption_norms.py"
    TABLE_CAPTION: ClassVar[str | None] = "tables/table_caption_norms.py"

    kind: Literal["norms"] = Field(description="Norms of weight differences by depth.")
    analysis: Annotated[Name, Ref("analyses", kind="norms")] = Field(description="Name of the analysis.")

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {}

    def settings(self, study: "Study") -> dict[str, Any]:
        return {}

    def series(self, config: "StudyConfig") -> int:
        analysis = config.analyses[self.analysis]
        assert isinstance(analysis, Norms)
        return len(analysis.pairs)

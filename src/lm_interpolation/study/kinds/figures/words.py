"""The figure words."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.next_token import NextToken
from lm_interpolation.study.kinds.base import SCALE, Name, Ref, Scale
from lm_interpolation.study.kinds.figures.base import AnalysisFigure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class WordsFigure(AnalysisFigure):
    """Probabilities of words along a sweep."""

    SCRIPT: ClassVar[str] = "figures/plot_words.py"
    CAPTION: ClassVar[str] = "figures/caption_words.py"
    TABLE_CAPTION: ClassVar[str | None] = "tables/table_caption_words.py"

    kind: Literal["words"] = Field(description="Probabilities of words along a sweep.")
    analysis: Annotated[Name, Ref("analyses", kind="next_token")] = Field(description="Name of the analysis.")
    scale: Scale = Field(default="linear", description=SCALE)

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {"coordinate_labels": self.coordinate_labels(study.declared)}

    def settings(self, study: "Study") -> dict[str, Any]:
        return {"scale": self.scale, **self.drawn(study)}

    def series(self, config: "StudyConfig") -> int:
        analysis = config.analyses[self.analysis]
        assert isinstance(analysis, NextToken)
        return max([analysis.top, *map(len, analysis.words.values())])

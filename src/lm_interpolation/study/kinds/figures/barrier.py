"""The figure barrier."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.barrier import Barrier
from lm_interpolation.study.kinds.analyses.loss import Loss
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.figures.base import AnalysisFigure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class BarrierFigure(AnalysisFigure):
    """Barriers and the curves above their chords."""

    SCRIPT: ClassVar[str] = "figures/plot_barrier.py"
    CAPTION: ClassVar[str] = "figures/caption_barrier.py"
    TABLE_CAPTION: ClassVar[str | None] = "tables/table_caption_barrier.py"

    kind: Literal["barrier"] = Field(description="Barriers and the curves above their chords.")
    analysis: Annotated[Name, Ref("analyses", kind="barrier")] = Field(description="Name of the analysis.")

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {"sweep_labels": self.sweep_labels(study.declared)}

    def settings(self, study: "Study") -> dict[str, Any]:
        return {**self.drawn(study), "coordinate_labels": self.coordinate_labels(study.declared)}

    def series(self, config: "StudyConfig") -> int:
        analysis = config.analyses[self.analysis]
        assert isinstance(analysis, Barrier)
        losses = [config.analyses[name] for name in analysis.losses]
        texts = sum(len(config.sweeps[sweep].prompts) for sweep in analysis.sweeps)
        return texts + sum(len(loss.classes or [None]) for loss in losses if isinstance(loss, Loss))

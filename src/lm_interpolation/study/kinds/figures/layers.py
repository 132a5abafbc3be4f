"""The figure layers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.layers import Layers
from lm_interpolation.study.kinds.base import Maybe, Name, Problem, Ref
from lm_interpolation.study.kinds.figures.base import AnalysisFigure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class LayersFigure(AnalysisFigure):
    """Shares of the gain that single layers and kinds of tensors keep and lose."""

    SCRIPT: ClassVar[str] = "figures/plot_layers.py"
    CAPTION: ClassVar[str] = "figures/caption_layers.py"

    kind: Literal["layers"] = Field(
        description="Shares of the gain that single layers and kinds of tensors keep and lose."
    )
    analysis: Annotated[Name, Ref("analyses", kind="layers")] = Field(description="Name of the analysis.")
    class_: Maybe[Annotated[Name, Ref("analyses.{analysis}.classes")]] = Field(
        default=None, alias="class", description="Class of the analysis, required if it has classes."
    )
    statistic: Literal["nll_text", "nll_token"] = Field(
        default="nll_token", description="Statistic of the loss: mean per text, or per token."
    )

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {"statistic": self.statistic, "class_name": self.class_}

    def settings(self, study: "Study") -> dict[str, Any]:
        return self.drawn(study)

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        analysis = config.analyses[self.analysis]
        assert isinstance(analysis, Layers)
        if analysis.classes is not None and self.class_ is None:
            yield "", f"key 'class' is missing; choose one of {', '.join(analysis.classes)}"

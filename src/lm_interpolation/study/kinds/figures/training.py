"""The figure training."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.pages.descriptions import describe_training
from lm_interpolation.study.kinds.base import Names, TrainedLanguageModel
from lm_interpolation.study.kinds.figures.base import Figure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class TrainingFigure(Figure):
    """Loss curves of trained language models."""

    SCRIPT: ClassVar[str] = "figures/plot_training.py"
    CAPTION: ClassVar[str] = "figures/caption_training.py"

    kind: Literal["training"] = Field(description="Loss curves of trained language models.")
    models: Names[TrainedLanguageModel] = Field(description="Names of the models.")

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.path("training", model, "loss.csv") for model in self.models]

    def inputs(self, study: "Study") -> dict[str, Any]:
        return {"curves": self.tables_behind(study)}

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {"models": self.models}

    def settings(self, study: "Study") -> dict[str, Any]:
        return self.drawn(study)

    def facts(self, study: "Study") -> list[str]:
        return [describe_training(model, study.models.settings(model)["training"]) for model in self.models]

    def series(self, config: "StudyConfig") -> int:
        return len(self.models)

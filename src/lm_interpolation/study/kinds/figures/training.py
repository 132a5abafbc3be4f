"""The figure training."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Names, TrainedLanguageModel
from lm_interpolation.study.kinds.figures.base import Figure


class TrainingFigure(Figure):
    """Loss curves of trained language models."""

    SCRIPT: ClassVar[str] = "figures/training.py"

    kind: Literal["training"] = Field(description="Loss curves of trained language models.")
    models: Names[TrainedLanguageModel] = Field(description="Names of the models.")

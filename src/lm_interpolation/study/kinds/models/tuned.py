"""A model to train further."""

from typing import ClassVar

from pydantic import Field

from lm_interpolation.study.kinds.base import TextModel
from lm_interpolation.study.kinds.models.base import Origin


class FromModel(Origin):
    """The weights of another model of the study."""

    KEY: ClassVar[str] = "model"

    model: TextModel = Field(description="Name of a model of this file to train further.")

    def needs(self) -> list[tuple[str, str]]:
        return [("models", self.model)]

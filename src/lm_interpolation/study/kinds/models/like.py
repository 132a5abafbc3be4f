"""Random weights in the shape of another model."""

from typing import ClassVar

from pydantic import Field

from lm_interpolation.study.kinds.base import LanguageModel
from lm_interpolation.study.kinds.models.base import Origin


class LikeModel(Origin):
    """Random weights with the architecture and the tokenizer of another model of the study."""

    KEY: ClassVar[str] = "architecture_of"

    architecture_of: LanguageModel = Field(
        description="Random weights with the architecture and the tokenizer of this model of the file."
    )

    def needs(self) -> list[tuple[str, str]]:
        return [("models", self.architecture_of)]

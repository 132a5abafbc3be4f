"""The experts max and min."""

from typing import Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import LanguageModel, Unique, tag
from lm_interpolation.study.kinds.experts.base import Expert


class Extreme(Expert):
    """An extreme of the log-probabilities of several models."""

    MODULE: ClassVar[str] = "extremes"

    models: Annotated[Unique[LanguageModel], MinLen(2)] = Field(description="Names of the models, two at least.")

    def models_read(self) -> list[str]:
        return self.models

    def arguments(self) -> dict[str, Any]:
        return {"extreme": tag(type(self)), "models": self.models}


class Union(Extreme):
    """What any of the models likes."""

    kind: Literal["max"] = Field(
        description="The largest of the models' log-probabilities of a token: their union (Dekoninck et al. 2024)."
    )


class Intersection(Extreme):
    """What all models like."""

    kind: Literal["min"] = Field(
        description="The smallest of the models' log-probabilities of a token: their intersection."
    )

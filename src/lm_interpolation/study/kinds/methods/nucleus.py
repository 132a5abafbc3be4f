"""A method of ensembles: which tokens may be sampled."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.points.algebra import Method
from lm_interpolation.study.kinds.base import LanguageModel, Maybe
from lm_interpolation.study.kinds.methods.base import AnyMethod


class NucleusSpec(AnyMethod):
    """How texts are sampled from ensembles, in place of ``generation.nucleus``."""

    SPACE: ClassVar[str] = "logits"

    space: Literal["logits"] = Field(description="Says that it is a method of ensembles.")
    nucleus: Maybe[LanguageModel] = Field(
        default=None,
        description=(
            "Source of the logits that determine which tokens may be sampled, in place of generation.nucleus. By "
            "default it is the ensemble itself, as in proxy tuning."
        ),
    )

    def built(self, name: str) -> Method:
        return Method(name, None, recipe={"stages": [], "files": [], "code": {}, "nucleus": self.nucleus})

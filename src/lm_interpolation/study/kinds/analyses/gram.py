"""The analysis gram."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import model_folders
from lm_interpolation.study.kinds.analyses.named_models import NamedModels
from lm_interpolation.study.kinds.base import LanguageModel, Maybe, Problem
from lm_interpolation.study.kinds.tables import Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Gram(NamedModels):
    """Inner products and cosines of displacements, tensor by tensor."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="Inner product of the displacements of two models in one tensor, or in all.",
            columns={
                "tensor": "name of the tensor; empty for the whole model",
                "kind": "embedding, attention, mlp, norm, head or other; all for the whole model",
                "layer": "number of the block; empty outside blocks",
                "elements": "number of elements",
                "model": "model",
                "other": "the other model, or the same",
                "product": "inner product of both displacements",
                "cosine": "product over both lengths; empty if one of them did not move",
            },
        )
    }

    kind: Literal["gram"] = Field(description="Inner products and cosines of displacements, tensor by tensor.")
    base: Maybe[LanguageModel] = Field(
        default=None, description="Model that displacements are measured from; by default they are the weights."
    )

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        if self.base in self.names(config):
            yield "base", f"{self.base!r} is one of the models; its displacement is 0, name others"

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": model_folders(study, self._all(study))}

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": self._all(study), "base": self.base}

    def _all(self, study: "Study") -> list[str]:
        return [*self.names(study.declared), *([] if self.base is None else [self.base])]

    def describe(self, name: str) -> str:
        origin = "weights" if self.base is None else f"displacements from {self.base}"
        return f"{name}: inner products and cosines of the {origin} of {self.models_words()}, tensor by tensor"

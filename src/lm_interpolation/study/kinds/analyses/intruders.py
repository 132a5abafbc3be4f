"""The analysis intruders."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import model_folders
from lm_interpolation.study.kinds.analyses.named_models import NamedModels
from lm_interpolation.study.kinds.base import Count, LanguageModel, Problem, Share
from lm_interpolation.study.kinds.tables import HIGH, LOW, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Intruders(NamedModels):
    """Leading singular vectors of fine-tuned matrices that are like none of the base: intruder dimensions."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="A matrix of attention or MLP of one model.",
            columns={
                "model": "model",
                "tensor": "name of the tensor",
                "kind": "attention or mlp",
                "layer": "number of the block",
                "outputs": "number of outputs",
                "inputs": "number of inputs",
                "moved": "norm of its change over its norm in the base",
                "vectors": "leading singular vectors that were compared",
                "intruders": "those whose largest cosine to any of the base is below epsilon",
            },
        ),
        "_ranks": Table(
            row="A leading singular vector, on the side of the outputs, of one matrix of one model.",
            columns={
                "model": "model",
                "tensor": "name of the tensor",
                "rank": "place by descending singular value, from 1",
                "value": "its singular value",
                "cosine": "its largest absolute cosine to any singular vector of the base in this tensor",
            },
        ),
        "_thresholds": Table(
            row="Mean number of intruders per matrix of one model, for one epsilon.",
            columns={
                "model": "model",
                "epsilon": "cosine below which a vector is an intruder",
                "intruders": "mean number per matrix",
                "low": LOW,
                "high": HIGH,
                "share": "share of matrices that have one or more",
                "matrices": "number of matrices",
            },
        ),
    }

    kind: Literal["intruders"] = Field(
        description="Leading singular vectors of fine-tuned matrices that are like none of the base."
    )
    base: LanguageModel = Field(description="Name of the model that they were fine-tuned from.")
    k: Count = Field(default=10, description="Leading singular vectors of a matrix that may be intruders.")
    epsilon: Share = Field(
        default=0.5, description="An intruder's largest cosine to any singular vector of the base is below this."
    )

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        if self.base in self.names(config):
            yield "base", f"{self.base!r} is one of the models; it has no intruders, name others"

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": model_folders(study, self._all(study))}

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": self._all(study),
            "base": self.base,
            "k": self.k,
            "epsilon": self.epsilon,
            "bootstrap": study.config["tables"],
        }

    def _all(self, study: "Study") -> list[str]:
        return [*self.names(study.declared), self.base]

    def describe(self, name: str) -> str:
        return (
            f"{name}: of each matrix of attention and MLP of {self.models_words()}, those among its first {self.k} "
            f"singular vectors, on the side of the outputs, whose cosine to every one of {self.base} is below "
            f"{self.epsilon:g}. Intervals are over matrices"
        )

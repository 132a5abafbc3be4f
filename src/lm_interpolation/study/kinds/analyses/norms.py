"""The analysis norms."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis, model_folders
from lm_interpolation.study.kinds.base import Declaration, LanguageModel, Parts, Problem
from lm_interpolation.study.kinds.tables import Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Pair(Declaration):
    """Two models whose weights are subtracted."""

    model: LanguageModel = Field(description="Name of the model.")
    reference: LanguageModel = Field(description="Name of the model that is subtracted.")


class Norms(Analysis):
    """Norms of weight differences, tensor by tensor."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="Size of the difference of two models in one tensor.",
            columns={
                "pair": "label of the difference",
                "model": "model",
                "reference": "model that it is compared with",
                "tensor": "name of the tensor",
                "kind": "embedding, attention, mlp, norm, head or other",
                "layer": "number of the block; empty outside blocks",
                "elements": "number n of elements",
                "norm": "Euclidean (Frobenius) norm of the difference",
                "scaled_norm": "norm / √n, the root mean square",
            },
        )
    }

    kind: Literal["norms"] = Field(description="Norms of weight differences, tensor by tensor.")
    pairs: Annotated[dict[str, Pair], MinLen(1), Parts()] = Field(description="Label to a pair of models.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        for label, pair in self.pairs.items():
            if pair.model == pair.reference:
                yield f"pairs.{label}", f"compares {pair.model!r} with itself; name two"

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return []

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": model_folders(study, self._models())}

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": self._models(),
            "pairs": [(label, pair.model, pair.reference) for label, pair in self.pairs.items()],
        }

    def _models(self) -> list[str]:
        return list(dict.fromkeys(name for pair in self.pairs.values() for name in (pair.model, pair.reference)))

    def describe(self, name: str) -> str:
        pairs = (f"{label} ({pair.model} − {pair.reference})" for label, pair in self.pairs.items())
        return f"{name}: norms of the weight differences {', '.join(pairs)}, tensor by tensor"

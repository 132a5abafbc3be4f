"""The analysis cost."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.figures.naming import prompts_label
from lm_interpolation.pages.wording import number, numbers
from lm_interpolation.study.kinds.analyses.base import GeneratingAnalysis
from lm_interpolation.study.kinds.base import Count
from lm_interpolation.study.kinds.tables import POINT, Table

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


class Cost(GeneratingAnalysis):
    """Time and memory of generation from merged weights and from the ensemble of the same points."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="One measurement of loading models and generating texts, alone in a fresh process.",
            columns={
                "space": "weights: one merged model; logits: all models side by side",
                "point": POINT,
                "repeat": "number of the repetition",
                "texts": "generated texts",
                "tokens": "generated tokens",
                "load_seconds": "seconds to load the models",
                "seconds": "seconds to generate",
                "seconds_per_1000_tokens": "the same per 1000 tokens",
                "peak_memory_mb": "largest memory of the process, on a GPU of the GPU (MiB)",
            },
        )
    }
    MEASURES_TIME: ClassVar[bool] = True

    kind: Literal["cost"] = Field(
        description=("Time and memory of generation from merged weights and from the ensemble of the same points.")
    )
    repeats: Count = Field(default=3, description="Number of measurements of each, taken in turn.")

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        generation = study.config["generation"]
        return {
            **super().settings(study, name),
            "precision": generation["precision"],
            "nucleus": generation.get("nucleus"),
            "prefixes": self.prefixes,
            "repeats": self.repeats,
        }

    def models_beside(self, study: "Study") -> list[str]:
        # Those of the ensembles.
        points = self.merged_points(study)
        return list(dict.fromkeys(model for point in points for model in study.ensemble_models(point.id)))

    def describe(self, name: str) -> str:
        return (
            f"{name}: time and memory of texts after the first {number(self.prefixes)} {prompts_label(self.prompts)} "
            f"at coordinate {numbers(self.at)} of {self.sweep}, from merged weights and from an ensemble; "
            f"{number(self.repeats)} runs of each, alone in a fresh process"
        )

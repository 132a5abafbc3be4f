"""The analysis cost."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.figures.naming import prompts_label
from lm_interpolation.pages.wording import number, numbers
from lm_interpolation.points.algebra import Point
from lm_interpolation.study.kinds.analyses.base import (
    Analysis,
    check_on_grid,
    checkpoint_folders,
    model_folders,
    points_at,
    prompts_file,
)
from lm_interpolation.study.kinds.base import Count, Name, Problem, PromptsName, Ref, Values
from lm_interpolation.study.kinds.tables import POINT, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Cost(Analysis):
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
    ABOUT_TEXTS: ClassVar[bool] = True

    kind: Literal["cost"] = Field(
        description=("Time and memory of generation from merged weights and from the ensemble of the same points.")
    )
    sweep: Annotated[Name, Ref("sweeps", directions=1, space="weights")] = Field(
        description="Name of a sweep of one direction in the space of weights."
    )
    at: Values = Field(description="Values of its coordinate.")
    prompts: PromptsName = Field(description="Name of the prompt set.")
    prefixes: Count = Field(default=20, description="Number of prompts, taken from the beginning.")
    repeats: Count = Field(default=3, description="Number of measurements of each, taken in turn.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from check_on_grid(config, self.sweep, self.at, "at")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return [self.sweep]

    def continued_prompts(self) -> str:
        return self.prompts

    def merged_points(self, study: "Study") -> list[Point]:
        return points_at(study, self.sweep, self.at)

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": model_folders(study, self._models(study)),
            "prompts": prompts_file(study, self.prompts),
            "checkpoints": checkpoint_folders(study, name, self.merged_points(study)),
        }

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        generation = study.config["generation"]
        return {
            "models": self._models(study),
            "points": [point.id for point in self.merged_points(study)],
            "sampling": study.sampling(),
            "precision": generation["precision"],
            "nucleus": generation.get("nucleus"),
            "prefixes": self.prefixes,
            "repeats": self.repeats,
        }

    def _models(self, study: "Study") -> list[str]:
        """Names of the models of the ensembles."""
        points = self.merged_points(study)
        return list(dict.fromkeys(model for point in points for model in study.ensemble_models(point.id)))

    def describe(self, name: str) -> str:
        return (
            f"{name}: time and memory of texts after the first {number(self.prefixes)} {prompts_label(self.prompts)} "
            f"at coordinate {numbers(self.at)} of {self.sweep}, from merged weights and from an ensemble; "
            f"{number(self.repeats)} runs of each, alone in a fresh process"
        )

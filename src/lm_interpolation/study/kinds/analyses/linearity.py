"""The analysis linearity."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Len
from pydantic import Field

from lm_interpolation.figures.naming import prompts_label
from lm_interpolation.pages.wording import groups, number
from lm_interpolation.points.algebra import decimal
from lm_interpolation.study.kinds.analyses.base import Analysis, model_folders, prompts_file
from lm_interpolation.study.kinds.base import WORDS, Count, Name, Positive, Problem, PromptsName, Ref, Words
from lm_interpolation.study.kinds.tables import COORDINATE, COORDINATES, POINT, SWEEP, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study

_QUANTITY = "logits of the next token, or margin between the two groups of sentiment words"


class Linearity(Analysis):
    """The model over a plane against its first-order expansion around the origin (paper, Eq. 5)."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="The model at one point against its first-order expansion around the origin (Eq. 5).",
            columns={
                "sweep": SWEEP,
                COORDINATES: COORDINATE,
                "point": POINT,
                "quantity": _QUANTITY,
                "value": "f at the point (margin)",
                "prediction": "its first-order expansion T (margin)",
                "change": "norm of f − f(θ⁰)",
                "error": "norm of f − T",
                "relative_error": "error / change",
            },
        ),
        "_summary": Table(
            row="One quantity: how well its first-order expansion holds over the plane.",
            columns={
                "quantity": _QUANTITY,
                "c1": "slope C₁ in the first coordinate; of logits root mean square",
                "c2": "slope C₂ in the second coordinate; of logits root mean square",
                "r2": "variance of f that the expansion explains, over all points",
                "r2_unit": "the same over points with both coordinates in [−1, 1]",
                "tolerance": "relative error up to which a point counts as linear",
                "share_within": "share of the points within the tolerance",
                "reach": (
                    "half the side of the largest square around the origin that is within the tolerance throughout"
                ),
            },
        ),
    }

    kind: Literal["linearity"] = Field(
        description=("The model over a plane against its first-order expansion around the origin (paper, Eq. 5).")
    )
    sweep: Annotated[Name, Ref("sweeps", directions=2, space="weights")] = Field(
        description="Name of a sweep with two directions and a single model as origin."
    )
    prompts: PromptsName = Field(description="Name of the prompt set whose first texts are the prefixes.")
    prefixes: Count = Field(default=20, description="Number of prefixes.")
    words: Annotated[Words, Len(2, 2)] = Field(description=WORDS)
    tolerance: Positive = Field(default=0.1, description="Relative error up to which a point counts as linear.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        if sum(decimal(value) != 0 for value in config.sweeps[self.sweep].origin.values()) != 1:
            yield "sweep", f"the origin of {self.sweep!r} is not a single model; change it"

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return [self.sweep]

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        models = model_folders(study, study.sweeps[self.sweep].models)
        return {"models": models, "prompts": prompts_file(study, self.prompts), **study.sweep_files(self.sweep)}

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": list(study.sweeps[self.sweep].models),
            "sweep": study.points_settings(self.sweep),
            # The order of the groups determines the sign of the margin.
            "words": list(self.words.items()),
            "prefixes": self.prefixes,
            "tolerance": self.tolerance,
        }

    def describe(self, name: str) -> str:
        return (
            f"{name}: the model over {self.sweep} against its first-order expansion around the origin, after the first "
            f"{number(self.prefixes)} {prompts_label(self.prompts)}; a point counts as linear up to an error of "
            f"{100 * self.tolerance:g} %; the margin is between the groups {groups(self.words)}"
        )

"""The figure calibration."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import ClassifierModel, Names, Problem
from lm_interpolation.study.kinds.figures.base import Figure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class CalibrationFigure(Figure):
    """How often judges are right against how confident they are, in their exams."""

    SCRIPT: ClassVar[str] = "figures/plot_calibration.py"
    CAPTION: ClassVar[str] = "figures/caption_calibration.py"

    kind: Literal["calibration"] = Field(
        description="How often judges are right against how confident they are, in their exams."
    )
    models: Names[ClassifierModel] = Field(description="Names of classifiers that have an exam.")

    def scorers_behind(self, config: "StudyConfig") -> set[str]:
        return {name for name, scorer in config.scorers.items() if scorer.judge() in self.models}

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.path("judges", model, "calibration.csv") for model in self.models]

    def inputs(self, study: "Study") -> dict[str, Any]:
        return {"bins": self.tables_behind(study)}

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {"models": self.models}

    def settings(self, study: "Study") -> dict[str, Any]:
        return self.drawn(study)

    def series(self, config: "StudyConfig") -> int:
        # The judge and its baseline.
        return 2

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        for number, model in enumerate(self.models):
            if config.models[model].exam is None:
                yield f"models.{number}", f"{model!r} has no exam; declare one, or take it out"

"""The figure slices."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.points.algebra import grid_values
from lm_interpolation.study.kinds.base import (
    SCALE,
    Count,
    Declaration,
    Maybe,
    Name,
    Parts,
    Problem,
    PromptsName,
    Ref,
    Scale,
    ScorerName,
    undeclared,
)
from lm_interpolation.study.kinds.checks import check_prompted, check_scored, check_statistic
from lm_interpolation.study.kinds.figures.base import Figure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class SlicesPanel(Declaration):
    """One statistic along the slices."""

    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Statistic of the scorer.")
    label: str = Field(description="Label of the vertical axis.")
    scale: Scale = Field(default="linear", description=SCALE)


class Slices(Figure):
    """A plane as curves along one coordinate, one for each value of the other."""

    SCRIPT: ClassVar[str] = "figures/plot_slices.py"
    CAPTION: ClassVar[str] = "figures/caption_slices.py"

    kind: Literal["slices"] = Field(
        description="A plane as curves along one coordinate, one for each value of the other."
    )
    sweep: Annotated[Name, Ref("sweeps", directions=2, texts=True)] = Field(description="Name of the sweep.")
    prompts: PromptsName = Field(description="Name of the prompt set.")
    along: str = Field(description="The coordinate on the horizontal axis.")
    columns: Maybe[Count] = Field(default=None, description="Panels side by side; by default as many as fit on a page.")
    panels: Annotated[list[SlicesPanel], MinLen(1), Parts()] = Field(description="The panels from left to right.")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return [self.sweep]

    def scorers_behind(self, config: "StudyConfig") -> set[str]:
        return {panel.scorer for panel in self.panels}

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.table(self.sweep)]

    def inputs(self, study: "Study") -> dict[str, Any]:
        judges = study.judge_metrics(self.scorers_behind(study.declared))
        return {"tables": self.tables_behind(study), "judges": judges}

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {
            "prompts": self.prompts,
            "along": self.along,
            "panels": self.score_panels(),
            "coordinate_labels": self.coordinate_labels(study.declared),
        }

    def settings(self, study: "Study") -> dict[str, Any]:
        return {
            **self.drawn(study),
            "columns": self.columns,
            "judges": study.judge_settings(self.scorers_behind(study.declared)),
        }

    def series(self, config: "StudyConfig") -> int:
        grid = config.sweeps[self.sweep].plain()["grid"]
        return max(len(grid_values(values)) for name, values in grid.items() if name != self.along)

    def score_panels(self) -> list[dict[str, Any]]:
        return [panel.plain() for panel in self.panels]

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        coordinates = config.sweeps[self.sweep].grid
        if self.along not in coordinates:
            yield "along", undeclared("coordinate", self.along, coordinates)
            return
        yield from super().check(config)
        yield from check_prompted(config, self.sweep, self.prompts, "prompts")
        for index, panel in enumerate(self.panels):
            yield from check_scored(config, self.sweep, panel.scorer, f"panels.{index}.scorer")
            yield from check_statistic(config, panel.scorer, panel.statistic, f"panels.{index}.statistic")

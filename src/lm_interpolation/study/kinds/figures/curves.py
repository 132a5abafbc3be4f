"""The figure curves."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import (
    SCALE,
    Count,
    Declaration,
    Maybe,
    Name,
    Names,
    Parts,
    Problem,
    Ref,
    Scale,
    ScorerName,
)
from lm_interpolation.study.kinds.checks import check_scored, check_statistic
from lm_interpolation.study.kinds.figures.base import Figure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.kinds.sweeps import SweepSpec
    from lm_interpolation.study.study import Study


class HorizontalAxis(Declaration):
    """Statistic on the horizontal axis."""

    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Its statistic.")
    label: str = Field(description="Label of the horizontal axis.")


class CurvesPanel(Declaration):
    """One statistic along the sweeps."""

    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(
        description=(
            "Statistic of the scorer: score or p_<class> (classifier); continuation_mean, continuation_corpus, "
            "text_mean, text_corpus (perplexity); distinct_<n> (distinct). Of a loss: nll_text, nll_token."
        )
    )
    label: str = Field(description="Label of the vertical axis, or of the colours.")
    scale: Scale = Field(default="linear", description=SCALE)
    x: Maybe[HorizontalAxis] = Field(
        default=None, description="Statistic on the horizontal axis, by default the coordinate."
    )


class Curves(Figure):
    """Statistics along sweeps of one direction."""

    SCRIPT: ClassVar[str] = "figures/plot_curves.py"
    CAPTION: ClassVar[str] = "figures/caption_curves.py"
    TABLE_CAPTION: ClassVar[str | None] = "tables/table_caption_curves.py"

    kind: Literal["curves"] = Field(description="Statistics along sweeps of one direction.")
    sweeps: Names[Annotated[Name, Ref("sweeps", directions=1, texts=True, repeated=True)]] = Field(
        description="Names of the sweeps; each has its own row of panels, or with overlay all share the same panels."
    )
    overlay: bool = Field(
        default=False,
        description="Draw all sweeps into the same panels; they must have exactly one prompt set in common.",
    )
    columns: Maybe[Count] = Field(default=None, description="Panels side by side; by default as many as fit on a page.")
    cost: Maybe[Annotated[Name, Ref("analyses", kind="cost")]] = Field(
        default=None, description="Name of a cost analysis to draw as two more panels."
    )
    texts: Maybe[Annotated[Name, Ref("analyses", kind="texts")]] = Field(
        default=None, description="Name of a texts analysis to show in the text beside the figure."
    )
    panels: Annotated[list[CurvesPanel], MinLen(1), Parts()] = Field(description="The panels from left to right.")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return config.along(self.sweeps)

    def sweep_labels(self, config: "StudyConfig") -> dict[str, str]:
        repeated = config.repeated("sweeps")
        found = {name: repeated[name].spec if name in repeated else config.sweeps[name] for name in self.sweeps}
        labels = {name: cast("SweepSpec", spec).label for name, spec in found.items()}
        return {name: name if label is None else label for name, label in labels.items()}

    def trainings(self, config: "StudyConfig") -> dict[str, Any]:
        """The setting ``trainings``: its sweeps of families, each with those of its trainings; without any, nothing."""
        repeated = config.repeated("sweeps")
        found = {name: list(repeated[name].members.values()) for name in self.sweeps if name in repeated}
        return {"trainings": found} if found else {}

    def scorers_behind(self, config: "StudyConfig") -> set[str]:
        return {part.scorer for _, part in self._parts()}

    def analyses_behind(self) -> list[str]:
        return [] if self.cost is None else [self.cost]

    def tables_behind(self, study: "Study") -> list[str]:
        # Findings and the text beside the figure rely on this order.
        names = [*self.sweeps_behind(study.declared), *(name for name in (self.cost, self.texts) if name is not None)]
        return [study.table(name) for name in dict.fromkeys(names)]

    def inputs(self, study: "Study") -> dict[str, Any]:
        cost = {} if self.cost is None else {"cost": study.table(self.cost)}
        judges = study.judge_metrics(self.scorers_behind(study.declared))
        return {"tables": [study.table(name) for name in self.sweeps_behind(study.declared)], "judges": judges, **cost}

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {
            "sweeps": self.sweeps_behind(study.declared),
            "panels": self.score_panels(),
            "overlay": self.overlay,
            "cost": self.cost is not None,
            "coordinate_labels": self.coordinate_labels(study.declared),
            "sweep_labels": self.sweep_labels(study.declared),
            **self.trainings(study.declared),
        }

    def settings(self, study: "Study") -> dict[str, Any]:
        return {
            "panels": self.score_panels(),
            "overlay": self.overlay,
            "columns": self.columns,
            "judges": study.judge_settings(self.scorers_behind(study.declared)),
            "coordinate_labels": self.coordinate_labels(study.declared),
            "sweep_labels": self.sweep_labels(study.declared),
            **self.trainings(study.declared),
        }

    def series(self, config: "StudyConfig") -> int:
        if self.overlay:
            return len(self.sweeps)
        return len({prompts for sweep in self.sweeps_behind(config) for prompts in config.sweeps[sweep].prompts})

    def facts(self, study: "Study") -> list[str]:
        return [
            f"{name}: the mean of {len(members)} trainings that differ in their seed; the band over prompts is at "
            "least as wide as its 95 % interval over prompts, that over trainings is Student's 95 % interval on the "
            "same prompts; intervals in words are over both"
            for name, members in self.trainings(study.declared).get("trainings", {}).items()
            if len(members) > 1
        ]

    def score_panels(self) -> list[dict[str, Any]]:
        return [panel.plain() for panel in self.panels]

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        for where, part in self._parts():
            for sweep in self.sweeps_behind(config):
                yield from check_scored(config, sweep, part.scorer, f"{where}.scorer")
            yield from check_statistic(config, part.scorer, part.statistic, f"{where}.statistic")
        first, *others = (set(config.sweeps[sweep].prompts) for sweep in self.sweeps_behind(config))
        if self.overlay and len(first.intersection(*others)) != 1:
            yield "overlay", "the sweeps need exactly one prompt set in common; set false"
        if self.cost is not None and not self.overlay:
            yield "cost", "is drawn beside one row of panels; set overlay: true"

    def _parts(self) -> Iterator[tuple[str, CurvesPanel | HorizontalAxis]]:
        """(key path, part that shows a statistic): panels and their horizontal axes."""
        for index, panel in enumerate(self.panels):
            yield f"panels.{index}", panel
            if panel.x is not None:
                yield f"panels.{index}.x", panel.x

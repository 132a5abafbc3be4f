"""The figure plane."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.analyses.loss import Loss
from lm_interpolation.study.kinds.base import (
    SCALE,
    Count,
    Declaration,
    Maybe,
    Name,
    Number,
    Parts,
    Problem,
    PromptsName,
    Ref,
    Scale,
    ScorerName,
    undeclared,
)
from lm_interpolation.study.kinds.checks import check_loss_statistic, check_prompted, check_scored, check_statistic
from lm_interpolation.study.kinds.figures.base import Figure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class PlanePanel(Declaration):
    """One statistic over the plane: of a scorer, or of a loss."""

    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (
        ("scorer", "prompts"),
        ("prompts", "scorer"),
        ("class", "analysis"),
    )
    ONE_OF: ClassVar[tuple[str, ...]] = ("scorer", "analysis")

    scorer: Maybe[ScorerName] = Field(default=None, description="Name of the scorer; goes with prompts.")
    prompts: Maybe[PromptsName] = Field(default=None, description="Name of the prompt set.")
    analysis: Maybe[Annotated[Name, Ref("analyses", kind="loss")]] = Field(
        default=None, description="Name of a loss analysis of the sweep, instead of a scorer."
    )
    class_: Maybe[Name] = Field(default=None, alias="class", description="Class of the loss analysis.")
    statistic: str = Field(description="Statistic of the scorer, or of the loss.")
    label: str = Field(description="Label of the colours.")
    scale: Scale = Field(default="linear", description=SCALE)
    limit: Maybe[Number] = Field(
        default=None,
        description="Upper end of the colour scale; higher values are drawn in grey, and the figure says so.",
    )
    centre: Maybe[Number] = Field(
        default=None, description="Value in the middle of the colour scale, such as 0.5 for a score."
    )


class Marker(Declaration):
    """A point with a name."""

    label: str = Field(description="The name.")
    at: dict[str, Number] = Field(description="Coordinate to value.")


class StraightLine(Declaration):
    """Points at which the sum of coefficient times coordinate has a given value."""

    label: str = Field(description="The name.")
    coefficients: dict[str, Number] = Field(description="Coordinate to coefficient.")
    value: Number = Field(description="The sum.")


class Plane(Figure):
    """Heat maps over a sweep of two directions."""

    SCRIPT: ClassVar[str] = "figures/plot_plane.py"
    CAPTION: ClassVar[str] = "figures/caption_plane.py"
    TABLE_CAPTION: ClassVar[str | None] = "tables/table_caption_plane.py"

    kind: Literal["plane"] = Field(description="Heat maps over a sweep of two directions.")
    sweep: Annotated[Name, Ref("sweeps", directions=2)] = Field(description="Name of the sweep.")
    columns: Maybe[Count] = Field(default=None, description="Panels side by side; by default as many as fit on a page.")
    panels: Annotated[list[PlanePanel], MinLen(1), Parts()] = Field(description="The panels from left to right.")
    markers: list[Marker] = Field(default_factory=list, description="Named points to mark.")
    lines: list[StraightLine] = Field(
        default_factory=list, description="Straight lines: the sum of coefficient times coordinate equals value."
    )

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return [self.sweep]

    def scorers_behind(self, config: "StudyConfig") -> set[str]:
        return {panel.scorer for panel in self.panels if panel.scorer is not None}

    def analyses_behind(self) -> list[str]:
        return [panel.analysis for panel in self.panels if panel.analysis is not None]

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.table(name) for name in self._tables()]

    def inputs(self, study: "Study") -> dict[str, Any]:
        judges = study.judge_metrics(self.scorers_behind(study.declared))
        return {"tables": self.tables_behind(study), "judges": judges}

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {
            "coordinates": list(study.sweeps[self.sweep].coordinates),
            "panels": [{**panel.plain(), "table": self._tables().index(self._table(panel))} for panel in self.panels],
            # In the order of the file.
            "markers": [{"label": marker.label, "at": list(marker.at.items())} for marker in self.markers],
            "coordinate_labels": self.coordinate_labels(study.declared),
        }

    def settings(self, study: "Study") -> dict[str, Any]:
        return {
            **self.drawn(study),
            "lines": [{**line.plain(), "coefficients": list(line.coefficients.items())} for line in self.lines],
            "columns": self.columns,
            # Absent where there is none, as before there were methods.
            **({"even": even} if (even := self._even(study.declared)) else {}),
            "judges": study.judge_settings(self.scorers_behind(study.declared)),
        }

    def score_panels(self) -> list[dict[str, Any]]:
        return [panel.plain() for panel in self.panels if panel.scorer is not None]

    def markers_on(self, sweep: str) -> list[dict[str, Any]] | None:
        return [marker.plain() for marker in self.markers] if sweep == self.sweep else None

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        for index, panel in enumerate(self.panels):
            for key, words in self._check_panel(config, panel):
                yield f"panels.{index}{'.' * bool(key)}{key}", words
        for index, line in enumerate(self.lines):
            if not any(line.coefficients.values()):
                yield f"lines.{index}.coefficients", "are all 0; give one that is not"
        if self.lines and (even := self._even(config)):
            yield "lines", f"{even[0]!r} is a setting of a method, which is drawn in equal steps; remove it"
        coordinates = config.sweeps[self.sweep].grid
        places = {f"markers.{index}.at": marker.at for index, marker in enumerate(self.markers)}
        places |= {f"lines.{index}.coefficients": line.coefficients for index, line in enumerate(self.lines)}
        for key, given in places.items():
            if set(given) != set(coordinates):
                yield (
                    key,
                    f"has {sorted(given)}, but the coordinates of {self.sweep!r} are {sorted(coordinates)}; name the "
                    "same",
                )

    def _check_panel(self, config: "StudyConfig", panel: PlanePanel) -> Iterator[Problem]:
        if panel.scorer is not None and panel.prompts is not None:
            yield from check_scored(config, self.sweep, panel.scorer, "scorer")
            yield from check_prompted(config, self.sweep, panel.prompts, "prompts")
            yield from check_statistic(config, panel.scorer, panel.statistic, "statistic")
        if panel.analysis is not None:
            yield from self._check_loss(config, panel.analysis, panel)
        if panel.centre is not None and (panel.limit is not None or panel.scale == "log"):
            yield "centre", "goes with scale: linear and without a limit; remove one"

    def _check_loss(self, config: "StudyConfig", name: str, panel: PlanePanel) -> Iterator[Problem]:
        loss = config.analyses[name]
        assert isinstance(loss, Loss)
        if loss.sweep != self.sweep:
            yield "analysis", f"{name!r} is along sweep {loss.sweep!r}, not {self.sweep!r}; choose one of this sweep"
        if loss.classes is None and panel.class_ is not None:
            yield "class", f"{name!r} takes all texts together; remove it"
        if loss.classes is not None and panel.class_ is None:
            yield "", f"key 'class' is missing; choose one of {', '.join(loss.classes)}"
        if loss.classes is not None and panel.class_ is not None and panel.class_ not in loss.classes:
            yield "class", undeclared("class", panel.class_, loss.classes)
        yield from check_loss_statistic(panel.statistic, "statistic")

    def _even(self, config: "StudyConfig") -> list[str]:
        """The coordinates that are drawn in equal steps: settings of a method, whose values often lie far apart."""
        spec = config.sweeps[self.sweep]
        return sorted(set(spec.grid) - set(spec.directions))

    def _tables(self) -> list[str]:
        """Names of the tables behind it, each once."""
        return list(dict.fromkeys(map(self._table, self.panels)))

    def _table(self, panel: PlanePanel) -> str:
        return self.sweep if panel.analysis is None else panel.analysis

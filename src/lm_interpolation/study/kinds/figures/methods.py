"""The figure methods."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.points.algebra import decimal, grid_values
from lm_interpolation.study.kinds.analyses.loss import Loss
from lm_interpolation.study.kinds.base import (
    SCALE,
    Count,
    Declaration,
    Maybe,
    Name,
    Names,
    Parts,
    Problem,
    PromptsName,
    Ref,
    Scale,
    ScorerName,
    Values,
    plain,
    undeclared,
)
from lm_interpolation.study.kinds.checks import check_loss_statistic, check_prompted, check_scored, check_statistic
from lm_interpolation.study.kinds.figures.base import Figure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class MethodsScore(Declaration):
    """Statistic on the vertical axis."""

    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Its statistic.")
    label: str = Field(description="Label of the vertical axis.")


class MethodsAxis(Declaration):
    """Statistic on the horizontal axis: of a scorer, or of losses."""

    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (("class", "losses"),)
    ONE_OF: ClassVar[tuple[str, ...]] = ("scorer", "losses")

    scorer: Maybe[ScorerName] = Field(default=None, description="Name of the scorer.")
    losses: Maybe[Names[Annotated[Name, Ref("analyses", kind="loss")]]] = Field(
        default=None, description="Names of loss analyses instead of a scorer, one along each sweep."
    )
    class_: Maybe[Name] = Field(default=None, alias="class", description="Class of the loss analyses.")
    statistic: str = Field(description="Statistic of the scorer, or of the loss.")
    label: str = Field(description="Label of the horizontal axis.")
    scale: Scale = Field(default="linear", description=SCALE)


class MethodsFigure(Figure):
    """A score against perplexity or loss, with one curve per sweep."""

    SCRIPT: ClassVar[str] = "figures/plot_methods.py"
    CAPTION: ClassVar[str] = "figures/caption_methods.py"

    kind: Literal["methods"] = Field(description="A score against perplexity or loss, with one curve per sweep.")
    sweeps: Names[Annotated[Name, Ref("sweeps", texts=True)]] = Field(
        description=(
            "Names of the sweeps. A curve follows the first coordinate; each value of the others gives a curve of its "
            "own."
        )
    )
    values: dict[Annotated[Name, Ref("sweeps")], dict[str, Values]] = Field(
        default_factory=dict,
        description="Sweep to coordinates after its first to those values that are drawn, by default all.",
    )
    prompts: PromptsName = Field(description="Name of the prompt set.")
    score: MethodsScore = Field(description="Statistic on the vertical axis.")
    across: Annotated[list[MethodsAxis], MinLen(1), Parts()] = Field(
        description="Statistics on the horizontal axes, one for each panel."
    )
    columns: Maybe[Count] = Field(default=None, description="Panels side by side; by default as many as fit on a page.")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return self.sweeps

    def scorers_behind(self, config: "StudyConfig") -> set[str]:
        return {self.score.scorer, *(axis.scorer for axis in self.across if axis.scorer is not None)}

    def analyses_behind(self) -> list[str]:
        return list(dict.fromkeys(name for axis in self.across for name in axis.losses or []))

    def tables_behind(self, study: "Study") -> list[str]:
        # Settings refer to tables by their place: first those of the sweeps.
        return [study.table(name) for name in (*self.sweeps, *self.analyses_behind())]

    def inputs(self, study: "Study") -> dict[str, Any]:
        judges = study.judge_metrics(self.scorers_behind(study.declared))
        return {"tables": self.tables_behind(study), "judges": judges}

    def drawn(self, study: "Study") -> dict[str, Any]:
        labels = self.sweep_labels(study.declared)
        return {
            "sweeps": [
                {
                    "name": name,
                    "label": labels[name],
                    "coordinates": list(study.sweeps[name].coordinates),
                    # In the order of the coordinates.
                    "values": [
                        (coordinate, list(map(float, self.values[name][coordinate])))
                        for coordinate in study.sweeps[name].coordinates
                        if coordinate in self.values.get(name, {})
                    ],
                }
                for name in self.sweeps
            ],
            "prompts": self.prompts,
            "score": self.score.plain(),
            "across": [self._axis(study.declared, axis) for axis in self.across],
            "coordinate_labels": self.coordinate_labels(study.declared),
        }

    def settings(self, study: "Study") -> dict[str, Any]:
        return {
            **self.drawn(study),
            "columns": self.columns,
            "judges": study.judge_settings(self.scorers_behind(study.declared)),
        }

    def series(self, config: "StudyConfig") -> int:
        return sum(math.prod(self._numbers(config, sweep)) for sweep in self.sweeps)

    def score_panels(self) -> list[dict[str, Any]]:
        score = {**self.score.plain(), "scale": "linear"}
        return [score, *(axis.plain() for axis in self.across if axis.scorer is not None)]

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        for sweep in self.sweeps:
            yield from check_prompted(config, sweep, self.prompts, "prompts")
            yield from check_scored(config, sweep, self.score.scorer, "score.scorer")
        yield from check_statistic(config, self.score.scorer, self.score.statistic, "score.statistic")
        for index, axis in enumerate(self.across):
            for key, words in self._check_axis(config, axis):
                yield f"across.{index}.{key}", words
        for sweep, chosen in self.values.items():
            if sweep not in self.sweeps:
                yield "values", f"{sweep!r} is not among the sweeps; add it there"
            for coordinate, wanted in chosen.items():
                yield from self._check_values(config, sweep, coordinate, wanted)

    def _check_axis(self, config: "StudyConfig", axis: MethodsAxis) -> Iterator[Problem]:
        if axis.scorer is not None:
            for sweep in self.sweeps:
                yield from check_scored(config, sweep, axis.scorer, "scorer")
            yield from check_statistic(config, axis.scorer, axis.statistic, "statistic")
            return
        along = [loss.sweep for loss in self._losses(config, axis)]
        for sweep in self.sweeps:
            if along.count(sweep) != 1:
                number = "no analysis is" if sweep not in along else "several analyses are"
                yield "losses", f"{number} along sweep {sweep!r}; name exactly one for each sweep of the figure"
        for name, loss in zip(axis.losses or [], self._losses(config, axis), strict=True):
            if loss.sweep not in self.sweeps:
                yield "losses", f"{name!r} is along sweep {loss.sweep!r}, which the figure does not show; remove it"
            if (loss.classes is None) != (axis.class_ is None) or (
                axis.class_ is not None and axis.class_ not in (loss.classes or [])
            ):
                known = "all texts together" if loss.classes is None else f"the classes {', '.join(loss.classes)}"
                yield "class", f"{name!r} has {known}; choose accordingly"
        yield from check_loss_statistic(axis.statistic, "statistic")

    def _check_values(
        self, config: "StudyConfig", sweep: str, coordinate: str, wanted: list[float]
    ) -> Iterator[Problem]:
        others = _coordinates(config, sweep)[1:]
        key = f"values.{sweep}"
        if coordinate not in others:
            yield key, undeclared("coordinate after the first", coordinate, others)
            return
        known = grid_values(plain(config.sweeps[sweep].grid[coordinate]))
        for value in wanted:
            if decimal(value) not in known:
                yield f"{key}.{coordinate}", f"{value} is not on the grid of sweep {sweep!r}; choose others"

    def _numbers(self, config: "StudyConfig", sweep: str) -> Iterator[int]:
        """The number of values of each coordinate after the first."""
        for coordinate in _coordinates(config, sweep)[1:]:
            grid = config.sweeps[sweep].grid
            wanted = self.values.get(sweep, {}).get(coordinate)
            yield len(wanted) if wanted is not None else len(grid_values(plain(grid[coordinate])))

    def _losses(self, config: "StudyConfig", axis: MethodsAxis) -> list[Loss]:
        found = [config.analyses[name] for name in axis.losses or []]
        assert all(isinstance(loss, Loss) for loss in found)
        return found  # type: ignore[return-value]

    def _axis(self, config: "StudyConfig", axis: MethodsAxis) -> dict[str, Any]:
        """The axis as settings: losses by the place of their tables, in the order of the sweeps."""
        written = {key: value for key, value in axis.plain().items() if key != "losses"}
        if axis.losses is None:
            return written
        by_sweep = {loss.sweep: name for name, loss in zip(axis.losses, self._losses(config, axis), strict=True)}
        places = [len(self.sweeps) + self.analyses_behind().index(by_sweep[sweep]) for sweep in self.sweeps]
        return {**written, "tables": places}


def _coordinates(config: "StudyConfig", sweep: str) -> list[str]:
    """Names of the coordinates of a sweep: its directions, then the settings of its method that it varies."""
    spec = config.sweeps[sweep]
    return [*spec.directions, *(name for name in sorted(spec.grid) if name not in spec.directions)]

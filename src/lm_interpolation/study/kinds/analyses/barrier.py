"""The analysis barrier."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.study.kinds.analyses.base import Analysis, check_on_grid
from lm_interpolation.study.kinds.base import Name, Names, Parts, Problem, Ref, Unique
from lm_interpolation.study.kinds.checks import check_scored
from lm_interpolation.study.kinds.tables import CLASS, COORDINATE, HIGH, LOW, SWEEP, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Barrier(Analysis):
    """Barriers of perplexity and of loss between coordinate 0 and 1 (Frankle et al. 2020)."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row=(
                "Height of a curve above the straight line from coordinate 0 to 1, at one coordinate or at its largest."
            ),
            columns={
                "sweep": SWEEP,
                "prompts": "set of prompts; empty for a loss",
                "quantity": "perplexity (log of the corpus perplexity of texts) or loss (on held-out text)",
                "class": CLASS,
                "row": "excess (height at a coordinate) or barrier (the largest)",
                "coordinate": COORDINATE,
                "estimate": "height, nats per token",
                "low": LOW,
                "high": HIGH,
            },
        )
    }
    ABOUT_TEXTS: ClassVar[bool] = True

    kind: Literal["barrier"] = Field(
        description=("Barriers of perplexity and of loss between coordinate 0 and 1 (Frankle et al. 2020).")
    )
    sweeps: Annotated[Names[Annotated[Name, Ref("sweeps", directions=1, texts=True)]], Parts()] = Field(
        description="Names of sweeps of one direction with generated texts."
    )
    scorer: Annotated[Name, Ref("scorers", barrier=True)] = Field(description="Name of the scorer of perplexity.")
    losses: Annotated[Unique[Annotated[Name, Ref("analyses", kind="loss", along=1)]], Parts(may_be_empty=True)] = Field(
        default_factory=list, description="Names of loss analyses along sweeps of one direction."
    )

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        for sweep in self.sweeps:
            yield from check_scored(config, sweep, self.scorer, "scorer")
            yield from check_on_grid(config, sweep, [0, 1], "sweeps")
        along = self._loss_sweeps(config)
        for sweep in along:
            yield from check_on_grid(config, sweep, [0, 1], "losses")
        if len(set(along)) != len(along):
            yield "losses", "two are along one sweep; give one of each sweep"

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return list(dict.fromkeys([*self.sweeps, *self._loss_sweeps(config)]))

    def scorers_behind(self, config: "StudyConfig") -> list[str]:
        return [self.scorer]

    def analyses_behind(self) -> list[str]:
        return self.losses

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "scores": self._scores(study),
            "losses": [study.path("losses", f"{loss}.parquet") for loss in self.losses],
        }

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "sweeps": [study.sweep_settings(sweep) for sweep in self.sweeps],
            "scorer": self.scorer,
            "statistic": self._statistic(study.declared).settings(),
            "spaces": study.lines.spaces(self._scores(study)),
            "losses": [study.points_settings(sweep) for sweep in self._loss_sweeps(study.declared)],
            "seed": study.config["tables"]["seed"],
        }

    def _statistic(self, config: "StudyConfig") -> Statistic:
        """The statistic whose logarithm is the NLL per token; the reference to the scorer guarantees that it exists."""
        statistic = config.scorers[self.scorer].barrier_statistic()
        assert statistic is not None
        return statistic

    def _scores(self, study: "Study") -> list[str]:
        return sorted({path for sweep in self.sweeps for path in study.lines.scores(sweep, [self.scorer])})

    def _loss_sweeps(self, config: "StudyConfig") -> list[str]:
        """The sweep of each of ``losses``; the reference guarantees that these are analyses of the kind loss."""
        return [sweep for loss in self.losses for sweep in config.analyses[loss].sweeps_behind(config)]

    def describe(self, name: str) -> str:
        losses = f", and of {', '.join(self.losses)}" if self.losses else ""
        return (
            f"{name}: height above the chord from coordinate 0 to 1 of {self.scorer} along "
            f"{', '.join(self.sweeps)}{losses}"
        )

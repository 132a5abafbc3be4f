"""The claim valley."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.base import Maybe, Name, Number, Problem, PromptsName, Ref, ScorerName, Share
from lm_interpolation.study.kinds.checks import check_loss_statistic
from lm_interpolation.study.kinds.claims.base import Claim

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class ValleyClaim(Claim):
    """The lowest values over a plane, scores or losses of an analysis, lie along a straight line."""

    SECTION: ClassVar[str] = "4.3"
    STATEMENT: ClassVar[str] = "The plateau of low {what} lies near coordinates that sum to {sum}"
    STATISTIC: ClassVar[str] = (
        "{what}: mean distance of the sum of coordinates from {sum}, over the share {lowest} of grid points with "
        "the lowest values"
    )
    UNIT: ClassVar[str] = "as the coordinates"
    SIDE: ClassVar[str] = AT_MOST
    DEFAULTS: ClassVar[Mapping[str, Any]] = {"sum": 1, "lowest": 0.1}
    ONE_OF: ClassVar[tuple[str, ...]] = ("sweep", "analysis")
    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (
        ("sweep", "prompts"),
        ("sweep", "scorer"),
        ("prompts", "sweep"),
        ("scorer", "sweep"),
        ("analysis", "class"),
        ("class", "analysis"),
    )

    test: Literal["valley"] = Field(
        description=(
            "What: mean distance of the sum of coordinates from sum, over the share lowest of grid points with "
            "the lowest values."
        )
    )
    sweep: Maybe[Annotated[Name, Ref("sweeps", directions=2, texts=True)]] = Field(
        default=None, description="Name of the sweep; goes with prompts and scorer."
    )
    prompts: Maybe[PromptsName] = Field(default=None, description="Name of the prompt set.")
    scorer: Maybe[ScorerName] = Field(default=None, description="Name of the scorer.")
    analysis: Maybe[Annotated[Name, Ref("analyses", kind="loss", along=2)]] = Field(
        default=None, description="Name of a loss analysis; goes with class."
    )
    class_: Maybe[Annotated[Name, Ref("analyses.{analysis}.classes")]] = Field(
        default=None, alias="class", description="Class of the loss analysis."
    )
    statistic: str = Field(description="Statistic of the scorer or of the loss.")
    sum: Maybe[Number] = Field(default=None, description="Sum of the coordinates on the line in question.")
    lowest: Maybe[Share] = Field(default=None, description="Share of the grid points that form the valley.")

    def values_of_words(self) -> dict[str, Any]:
        what = (
            f"{self.statistic} of {self.class_} texts ({self.analysis})"
            if self.analysis is not None
            else f"{self.scorer} {self.statistic} on {self.sweep} ({self.prompts} prompts)"
        )
        return super().values_of_words() | {"what": what}

    def sweeps(self) -> list[str]:
        return [] if self.sweep is None else [self.sweep]

    def scores_read(self) -> list[tuple[str, str, str]]:
        if self.sweep is None or self.prompts is None or self.scorer is None:
            return []
        return [(self.sweep, self.prompts, self.scorer)]

    def statistics(self) -> list[tuple[str, str]]:
        return [] if self.scorer is None else [(self.scorer, self.statistic)]

    def analysis_read(self) -> str | None:
        return self.analysis

    def losses_read(self) -> str | None:
        return self.analysis

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        if self.analysis is not None:
            yield from check_loss_statistic(self.statistic, "statistic")

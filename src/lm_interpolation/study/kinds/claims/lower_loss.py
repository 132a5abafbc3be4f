"""The claim lower_loss."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.base import Declaration, Maybe, Name, Number, Problem
from lm_interpolation.study.kinds.checks import LOSS_STATISTICS, check_loss_statistic
from lm_interpolation.study.kinds.claims.base import Claim
from lm_interpolation.study.kinds.claims.losses import (
    OURS,
    LossName,
    at_words,
    check_at,
    check_class,
    check_same_texts,
    loss_of,
)

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class LossPoint(Declaration):
    """A point of the sweep of a loss analysis."""

    analysis: LossName = Field(description="Name of the loss analysis.")
    at: Annotated[dict[str, Number], MinLen(1)] = Field(description="Coordinates of the point.")

    def words(self) -> str:
        return f"{self.analysis} at {at_words(self.at)}"


class LowerLossClaim(Claim):
    """One point has a lower loss than another one, on the same texts."""

    SECTION: ClassVar[str] = OURS
    STATEMENT: ClassVar[str] = "{point_words} has a lower loss than {than_words}"
    STATISTIC: ClassVar[str] = "{statistic}: {point_words} minus {than_words}"
    UNIT: ClassVar[str] = "nats"
    SIDE: ClassVar[str] = AT_MOST

    test: Literal["lower_loss"] = Field(description="Mean loss at a point minus that at another one.")
    point: LossPoint = Field(description="The point.")
    than: LossPoint = Field(description="The point that it is compared with.")
    class_: Maybe[Name] = Field(
        default=None, alias="class", description="Class of the loss analyses, by default the mean of all."
    )
    statistic: str = Field(description=f"Statistic of the losses: {' or '.join(LOSS_STATISTICS)}.")

    def values_of_words(self) -> dict[str, Any]:
        return super().values_of_words() | {"point_words": self.point.words(), "than_words": self.than.words()}

    def loss_analyses(self) -> list[str]:
        return list(dict.fromkeys([self.point.analysis, self.than.analysis]))

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        yield from check_loss_statistic(self.statistic, "statistic")
        for key, point in (("point", self.point), ("than", self.than)):
            yield from check_class(config, point.analysis, self.class_, "class")
            yield from check_at(config, loss_of(config, point.analysis).sweep, point.at, f"{key}.at")
        yield from check_same_texts(config, self.point.analysis, self.than.analysis, "than.analysis")
        if self.point == self.than:
            yield "than", "is the same point; name another one to compare with"

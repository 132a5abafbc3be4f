"""The claim barrier_ratio."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.base import Fraction, Maybe, Name, Problem
from lm_interpolation.study.kinds.claims.base import Claim, alike
from lm_interpolation.study.kinds.claims.losses import (
    OURS,
    LineLossName,
    check_at,
    check_class,
    check_same_texts,
    loss_of,
)

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class BarrierRatioClaim(Claim):
    """The barrier of the loss along one line is a small part of that along another."""

    SECTION: ClassVar[str] = OURS
    STATEMENT: ClassVar[str] = "The loss barrier of {analysis} is much lower than that of {other}"
    STATISTIC: ClassVar[str] = "NLL per token above the chord from 0 to 1, at {coordinate:g}: {analysis} over {other}"
    UNIT: ClassVar[str] = "ratio"
    SIDE: ClassVar[str] = AT_MOST

    test: Literal["barrier_ratio"] = Field(
        description="NLL per token above the chord from 0 to 1 at one coordinate: that of analysis over other's."
    )
    analysis: LineLossName = Field(description="Name of the loss analysis along the line.")
    other: LineLossName = Field(description="Name of that along the line that it is compared with.")
    coordinate: Fraction = Field(default=0.5, description="The coordinate of the heights, between 0 and 1.")
    class_: Maybe[Name] = Field(
        default=None, alias="class", description="Class of the analyses, by default the mean of all."
    )

    def loss_analyses(self) -> list[str]:
        return [self.analysis, self.other]

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        for key in ("analysis", "other"):
            name = getattr(self, key)
            yield from check_class(config, name, self.class_, "class")
            sweep = loss_of(config, name).sweep
            (name_of_it,) = config.sweeps[sweep].grid
            for value in (0, self.coordinate, 1):
                yield from check_at(config, sweep, {name_of_it: value}, "coordinate")
        if self.analysis == self.other:
            yield alike("other", "analysis", self.analysis)
        else:
            yield from check_same_texts(config, self.analysis, self.other, "other")

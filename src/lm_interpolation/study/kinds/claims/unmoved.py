"""The claim unmoved."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.base import Name, Problem, Ref, undeclared
from lm_interpolation.study.kinds.claims.base import SCALE, Range, Scale, StatisticClaim

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class UnmovedClaim(StatisticClaim):
    """Moving along one coordinate of a sweep leaves a statistic alone."""

    SECTION: ClassVar[str] = "1"
    STATEMENT: ClassVar[str] = (
        "Moving along {along} of {sweep} over {within} leaves {scorer} {statistic} alone ({prompts} prompts)"
    )
    STATISTIC: ClassVar[str] = (
        "{scorer} {statistic}: largest difference between two points that differ in {along} only, all coordinates in "
        "{within}"
    )
    UNIT: ClassVar[str] = "as the statistic"
    SIDE: ClassVar[str] = AT_MOST

    test: Literal["unmoved"] = Field(
        description="Scorer statistic: largest difference between two points of sweep that differ in along only."
    )
    sweep: Annotated[Name, Ref("sweeps", texts=True)] = Field(description="Name of the sweep.")
    along: str = Field(description="The coordinate that is moved along.")
    within: Range = Field(description="Range of all coordinates.")
    scale: Scale = Field(description=SCALE)

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        coordinates = config.sweeps[self.sweep].grid
        if self.along not in coordinates:
            yield "along", undeclared("coordinate", self.along, coordinates)
        yield from super().check(config)

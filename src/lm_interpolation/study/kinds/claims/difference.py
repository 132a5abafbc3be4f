"""The claim difference."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.claims.base import SCALE, Line, Range, Scale, StatisticClaim


class DifferenceClaim(StatisticClaim):
    """Two sweeps almost coincide."""

    SECTION: ClassVar[str] = "4.4"
    STATEMENT: ClassVar[str] = (
        "Over {within}, {sweep} and {other} almost coincide in {scorer} {statistic} ({prompts} prompts)"
    )
    STATISTIC: ClassVar[str] = "{scorer} {statistic}: largest difference between {sweep} and {other} at one coordinate"
    UNIT: ClassVar[str] = "as the statistic"
    SIDE: ClassVar[str] = AT_MOST
    SECOND: ClassVar[str | None] = "other"

    test: Literal["difference"] = Field(
        description="Scorer statistic: largest difference between sweep and other at one coordinate."
    )
    other: Line = Field(description="Name of the other sweep.")
    within: Range = Field(description="Range of the coordinate.")
    scale: Scale = Field(description=SCALE)

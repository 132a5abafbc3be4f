"""The claim monotone."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST
from lm_interpolation.study.kinds.claims.base import Range, StatisticClaim


class MonotoneClaim(StatisticClaim):
    """A statistic rises, or falls, along a sweep."""

    SECTION: ClassVar[str] = "4.1"
    STATEMENT: ClassVar[str] = (
        "Along {sweep}, {scorer} {statistic} is {direction} monotonically over {within} ({prompts} prompts)"
    )
    STATISTIC: ClassVar[str] = (
        "Spearman correlation of {scorer} {statistic} with the coordinate, positive where {direction}"
    )
    UNIT: ClassVar[str] = "correlation"
    SIDE: ClassVar[str] = AT_LEAST

    test: Literal["monotone"] = Field(
        description=("Spearman correlation of scorer statistic with the coordinate, positive where direction.")
    )
    within: Range = Field(description="Range of the coordinate.")
    direction: Literal["rising", "falling"] = Field(description="Whether values should rise or fall.")

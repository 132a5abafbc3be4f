"""The claim reach."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST
from lm_interpolation.study.kinds.claims.base import Line, StatisticClaim


class ReachClaim(StatisticClaim):
    """One sweep reaches as high a statistic as another."""

    SECTION: ClassVar[str] = "4.2"
    STATEMENT: ClassVar[str] = "{sweep} reaches a {scorer} {statistic} comparable to that of {than} ({prompts} prompts)"
    STATISTIC: ClassVar[str] = "{scorer} {statistic}: highest value of {sweep} minus highest value of {than}"
    UNIT: ClassVar[str] = "as the statistic"
    SIDE: ClassVar[str] = AT_LEAST
    SECOND: ClassVar[str | None] = "than"

    test: Literal["reach"] = Field(description="Scorer statistic: highest value of sweep minus highest value of than.")
    than: Line = Field(description="Name of the sweep it is compared with.")

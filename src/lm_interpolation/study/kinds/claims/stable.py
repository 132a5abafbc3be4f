"""The claim stable."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.claims.base import SCALE, Range, Scale, StatisticClaim


class StableClaim(StatisticClaim):
    """A statistic gets no worse beyond the models of a sweep."""

    SECTION: ClassVar[str] = "4.1"
    STATEMENT: ClassVar[str] = (
        "Along {sweep}, {scorer} {statistic} over {within} stays about as good as over [0, 1] ({prompts} prompts)"
    )
    STATISTIC: ClassVar[str] = "{scorer} {statistic}: how much {worse} it gets over {within} than anywhere in [0, 1]"
    UNIT: ClassVar[str] = "as the statistic"
    SIDE: ClassVar[str] = AT_MOST

    test: Literal["stable"] = Field(
        description="Scorer statistic: how much worse it gets over within than anywhere in [0, 1]."
    )
    within: Range = Field(description="Range of the coordinate.")
    scale: Scale = Field(description=SCALE)
    worse: Literal["higher", "lower"] = Field(description="Whether higher or lower values are worse.")

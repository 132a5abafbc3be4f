"""The claim middle."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST
from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.claims.base import SCALE, Range, Scale, StatisticClaim


class MiddleClaim(StatisticClaim):
    """In the middle of a sweep a statistic lies above, or below, both ends."""

    SECTION: ClassVar[str] = "5.3"
    STATEMENT: ClassVar[str] = (
        "In the middle of {sweep}, {scorer} {statistic} lies {sign} both ends ({prompts} prompts)"
    )
    STATISTIC: ClassVar[str] = "{scorer} {statistic}: how far every point in {within} lies {sign} both ends"
    UNIT: ClassVar[str] = "as the statistic"
    SIDE: ClassVar[str] = AT_LEAST
    DEFAULTS: ClassVar[Mapping[str, Any]] = {"within": [0.25, 0.75]}

    test: Literal["middle"] = Field(description="Scorer statistic: how far every point in within lies sign both ends.")
    within: Maybe[Range] = Field(default=None, description="Range of the coordinate.")
    scale: Scale = Field(description=SCALE)
    sign: Literal["above", "below"] = Field(description="Whether the middle should lie above or below both ends.")

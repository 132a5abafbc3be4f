"""The claim barrier."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.claims.base import ScoreClaim


class BarrierClaim(ScoreClaim):
    """Along a sweep there is no barrier of perplexity."""

    SECTION: ClassVar[str] = "4.1"
    STATEMENT: ClassVar[str] = "Between 0 and 1, {sweep} has no perplexity barrier ({prompts} prompts)"
    STATISTIC: ClassVar[str] = "log corpus perplexity ({scorer}): largest height above the chord from 0 to 1"
    UNIT: ClassVar[str] = "nats/token"
    SIDE: ClassVar[str] = AT_MOST

    test: Literal["barrier"] = Field(
        description="Log corpus perplexity (scorer): largest height above the chord from 0 to 1."
    )
    scorer: Annotated[Name, Ref("scorers", barrier=True)] = Field(description="Name of the scorer.")

"""The claim loss_barrier."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.claims.base import Claim


class LossBarrierClaim(Claim):
    """Along a sweep there is no barrier of the loss on held-out texts."""

    SECTION: ClassVar[str] = "4.1"
    STATEMENT: ClassVar[str] = "Between 0 and 1, the loss on {class} texts has no barrier ({analysis})"
    STATISTIC: ClassVar[str] = "NLL per token of {class} texts: largest height above the chord from 0 to 1"
    UNIT: ClassVar[str] = "nats/token"
    SIDE: ClassVar[str] = AT_MOST

    test: Literal["loss_barrier"] = Field(
        description="NLL per token of class texts: largest height above the chord from 0 to 1."
    )
    analysis: Annotated[Name, Ref("analyses", kind="loss", along=1)] = Field(description="Name of the analysis.")
    class_: Annotated[str, Ref("analyses.{analysis}.classes")] = Field(
        alias="class", description="Class of a loss analysis."
    )

    def analysis_read(self) -> str:
        return self.analysis

    def losses_read(self) -> str:
        return self.analysis

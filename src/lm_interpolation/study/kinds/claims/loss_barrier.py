"""The claim loss_barrier."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.claims.base import Claim


class LossBarrierClaim(Claim):
    """The test loss_barrier."""

    test: Literal["loss_barrier"] = Field(
        description="NLL per token of class texts: largest height above the chord from 0 to 1."
    )
    analysis: Annotated[Name, Ref("analyses", kind="loss", along=1)] = Field(description="Name of the analysis.")
    class_: Annotated[str, Ref("analyses.{analysis}.classes")] = Field(
        alias="class", description="Class of a loss analysis."
    )

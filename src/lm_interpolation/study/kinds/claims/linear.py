"""The claim linear."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.claims.base import Claim


class LinearClaim(Claim):
    """The test linear."""

    test: Literal["linear"] = Field(description="Column of the first-order Taylor expansion of the quantity.")
    analysis: Annotated[Name, Ref("analyses", kind="linearity")] = Field(description="Name of the analysis.")
    quantity: Literal["logits", "margin"] = Field(description="Logits or margin.")
    column: Literal["r2", "r2_unit", "share_within", "reach"] = Field(description="Column of the summary.")

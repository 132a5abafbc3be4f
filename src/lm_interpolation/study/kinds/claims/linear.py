"""The claim linear."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.claims.base import Claim


class LinearClaim(Claim):
    """A model is close to linear in its weights."""

    SECTION: ClassVar[str] = "5"
    STATEMENT: ClassVar[str] = "Around the base model, the {quantity} are close to linear in the weights"
    STATISTIC: ClassVar[str] = "{column} of the first-order Taylor expansion of the {quantity}"
    UNIT: ClassVar[str] = "{column}"
    SIDE: ClassVar[str] = AT_LEAST

    test: Literal["linear"] = Field(description="Column of the first-order Taylor expansion of the quantity.")
    analysis: Annotated[Name, Ref("analyses", kind="linearity")] = Field(description="Name of the analysis.")
    quantity: Literal["logits", "margin"] = Field(description="Logits or margin.")
    column: Literal["r2", "r2_unit", "share_within", "reach"] = Field(description="Column of the summary.")

    def analysis_read(self) -> str:
        return self.analysis

    def table_read(self) -> str:
        return f"{self.analysis}_summary"

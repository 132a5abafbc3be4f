"""The claim norms."""

from typing import Annotated, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.claims.base import Claim


class NormsClaim(Claim):
    """The test norms."""

    test: Literal["norms"] = Field(
        description="Scaled norm of the weight difference, pair / against, median over tensors."
    )
    analysis: Annotated[Name, Ref("analyses", kind="norms")] = Field(description="Name of the analysis.")
    pair: Annotated[str, Ref("analyses.{analysis}.pairs")] = Field(description="Label of the pair of models.")
    against: Annotated[str, Ref("analyses.{analysis}.pairs")] = Field(
        description="Label of the pair it is compared with."
    )

"""The expert uniform."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.experts.base import Expert


class Uniform(Expert):
    """All tokens are equally likely."""

    MODULE: ClassVar[str] = "uniform"

    kind: Literal["uniform"] = Field(
        description=(
            "All tokens are equally likely. It changes no odds: its coefficient brings the sum of a point to 1, beside "
            "a rule for example."
        )
    )

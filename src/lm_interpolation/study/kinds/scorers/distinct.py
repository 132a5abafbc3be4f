"""The scorer distinct."""

from typing import Annotated, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import Count
from lm_interpolation.study.kinds.scorers.base import Scorer


class Distinct(Scorer):
    """Share of distinct n-grams among the samples of a prompt."""

    SCRIPT: ClassVar[str] = "scores/distinct.py"

    kind: Literal["distinct"] = Field(description="Share of distinct n-grams among the samples of a prompt.")
    n: Annotated[list[Count], MinLen(1)] = Field(description="Lengths of the n-grams.")

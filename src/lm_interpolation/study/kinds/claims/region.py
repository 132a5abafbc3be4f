"""The claim region."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.claims.base import Claim

_KINDS = {
    "in": "models of a group",
    "in'": "points of the convex hull of a group's models",
    "ex": "points outside",
}


class RegionClaim(Claim):
    """Points of one kind have a lower loss than those of another, in and outside of regions in weight space."""

    SECTION: ClassVar[str] = "Regions"
    STATEMENT: ClassVar[str] = "In {analysis}, {first} have a lower loss than {second}"
    STATISTIC: ClassVar[str] = "PB({compare}): probability of the lower loss, mean over data sets and groups"
    UNIT: ClassVar[str] = "probability"
    SIDE: ClassVar[str] = AT_LEAST

    test: Literal["region"] = Field(description="Probability that a point of one kind has a lower loss than another.")
    analysis: Annotated[Name, Ref("analyses", kind="region")] = Field(description="Name of the analysis.")
    compare: Literal["in'-ex", "in'-in", "in-ex"] = Field(
        description="The kind that is claimed to have the lower loss, and the other: in, in' (hull) or ex (outside)."
    )

    def values_of_words(self) -> dict[str, Any]:
        first, second = self.compare.split("-")
        return super().values_of_words() | {"first": _KINDS[first], "second": _KINDS[second]}

    def analysis_read(self) -> str:
        return self.analysis

"""The claim clusters."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.claims.base import Claim

MEASURES = {
    "cosine": "the cosine of displacements",
    "weights": "the cosine of weights",
    "distance": "Euclidean distance",
}


class ClustersClaim(Claim):
    """Fine-tuned models cluster in weight space as a label says."""

    SECTION: ClassVar[str] = "Regions"
    STATEMENT: ClassVar[str] = "Models with one {label} are a cluster in weight space, by {measured}"
    STATISTIC: ClassVar[str] = (
        "share of models whose {label} is the one that their cluster is matched with, spectral clusters by {measured}"
    )
    UNIT: ClassVar[str] = "share"
    SIDE: ClassVar[str] = AT_LEAST

    test: Literal["clusters"] = Field(
        description="Share of models whose label is the one that their spectral cluster is matched with, one to one."
    )
    analysis: Annotated[Name, Ref("analyses", kind="regions")] = Field(description="Name of the analysis.")
    label: Annotated[Name, Ref("analyses.{analysis}.by")] = Field(description="Label that clusters are compared with.")
    measure: Literal["cosine", "weights", "distance"] = Field(
        default="cosine", description="What models are clustered by: cosine (of displacements), weights or distance."
    )

    def values_of_words(self) -> dict[str, Any]:
        return super().values_of_words() | {"measured": MEASURES[self.measure]}

    def analysis_read(self) -> str:
        return self.analysis

    def table_read(self) -> str:
        return f"{self.analysis}_clusters"

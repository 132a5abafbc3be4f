"""The analysis barrier."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.base import Name, Names, Parts, Ref, Unique


class Barrier(Analysis):
    """Barriers of perplexity and of loss between coordinate 0 and 1 (Frankle et al. 2020)."""

    SCRIPT: ClassVar[str] = "analyses/barrier.py"

    kind: Literal["barrier"] = Field(
        description=("Barriers of perplexity and of loss between coordinate 0 and 1 (Frankle et al. 2020).")
    )
    sweeps: Annotated[Names[Annotated[Name, Ref("sweeps", directions=1, texts=True)]], Parts()] = Field(
        description="Names of sweeps of one direction with generated texts."
    )
    scorer: Annotated[Name, Ref("scorers", kind="perplexity")] = Field(description="Name of the scorer of perplexity.")
    losses: Annotated[Unique[Annotated[Name, Ref("analyses", kind="loss", along=1)]], Parts(may_be_empty=True)] = Field(
        default_factory=list, description="Names of loss analyses along sweeps of one direction."
    )

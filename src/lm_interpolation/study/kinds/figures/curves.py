"""The figure curves."""

from typing import Annotated, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import (
    SCALE,
    Count,
    Declaration,
    Maybe,
    Name,
    Names,
    Parts,
    Ref,
    Scale,
    ScorerName,
)
from lm_interpolation.study.kinds.figures.base import Figure


class HorizontalAxis(Declaration):
    """Statistic on the horizontal axis."""

    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Its statistic.")
    label: str = Field(description="Label of the horizontal axis.")


class CurvesPanel(Declaration):
    """One statistic along the sweeps."""

    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(
        description=(
            "Statistic of the scorer: score or p_<class> (classifier); continuation_mean, continuation_corpus, "
            "text_mean, text_corpus (perplexity); distinct_<n> (distinct). Of a loss: nll_text, nll_token."
        )
    )
    label: str = Field(description="Label of the vertical axis, or of the colours.")
    scale: Scale = Field(default="linear", description=SCALE)
    x: Maybe[HorizontalAxis] = Field(
        default=None, description="Statistic on the horizontal axis, by default the coordinate."
    )


class Curves(Figure):
    """Statistics along sweeps of one direction."""

    SCRIPT: ClassVar[str] = "figures/curves.py"

    kind: Literal["curves"] = Field(description="Statistics along sweeps of one direction.")
    sweeps: Names[Annotated[Name, Ref("sweeps", directions=1, texts=True)]] = Field(
        description="Names of the sweeps, in rows of their own, or all in the same panels with overlay."
    )
    overlay: bool = Field(
        default=False, description="Draw the sweeps over each other; they need one prompt set in common."
    )
    columns: Maybe[Count] = Field(default=None, description="Panels side by side; by default as many as fit on a page.")
    cost: Maybe[Annotated[Name, Ref("analyses", kind="cost")]] = Field(
        default=None, description="Name of a cost analysis, drawn as two more panels."
    )
    texts: Maybe[Annotated[Name, Ref("analyses", kind="texts")]] = Field(
        default=None, description="Name of a texts analysis, shown in the text beside the figure."
    )
    panels: Annotated[list[CurvesPanel], MinLen(1), Parts()] = Field(description="What is drawn from left to right.")

"""The figure plane."""

from typing import Annotated, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import (
    SCALE,
    Count,
    Declaration,
    Maybe,
    Name,
    Number,
    Parts,
    PromptsName,
    Ref,
    Scale,
    ScorerName,
)
from lm_interpolation.study.kinds.figures.base import Figure


class PlanePanel(Declaration):
    """One statistic over the plane: of a scorer, or of a loss."""

    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (
        ("scorer", "prompts"),
        ("prompts", "scorer"),
        ("class", "analysis"),
    )
    ONE_OF: ClassVar[tuple[str, ...]] = ("scorer", "analysis")

    scorer: Maybe[ScorerName] = Field(default=None, description="Name of the scorer, with prompts.")
    prompts: Maybe[PromptsName] = Field(default=None, description="Name of the prompt set.")
    analysis: Maybe[Annotated[Name, Ref("analyses", kind="loss")]] = Field(
        default=None, description="Name of a loss analysis of the sweep, instead of a scorer."
    )
    class_: Maybe[Name] = Field(default=None, alias="class", description="Class of the loss analysis.")
    statistic: str = Field(description="Statistic of the scorer, or of the loss.")
    label: str = Field(description="Label of the colours.")
    scale: Scale = Field(default="linear", description=SCALE)
    limit: Maybe[Number] = Field(
        default=None, description="Upper end of the colours; what is above is drawn in grey and said to be so."
    )
    centre: Maybe[Number] = Field(
        default=None, description="Value in the middle of the colour scale, as 0.5 of a score."
    )


class Marker(Declaration):
    """A point with a name."""

    label: str = Field(description="The name.")
    at: dict[str, Number] = Field(description="Coordinate to value.")


class StraightLine(Declaration):
    """Points whose coordinates, times coefficients, have a sum."""

    label: str = Field(description="The name.")
    coefficients: dict[str, Number] = Field(description="Coordinate to coefficient.")
    value: Number = Field(description="The sum.")


class Plane(Figure):
    """Heat maps over a sweep of two directions."""

    SCRIPT: ClassVar[str] = "figures/plane.py"

    kind: Literal["plane"] = Field(description="Heat maps over a sweep of two directions.")
    sweep: Annotated[Name, Ref("sweeps", directions=2)] = Field(description="Name of the sweep.")
    columns: Maybe[Count] = Field(default=None, description="Panels side by side; by default as many as fit on a page.")
    panels: Annotated[list[PlanePanel], MinLen(1), Parts()] = Field(description="What is drawn from left to right.")
    markers: list[Marker] = Field(default_factory=list, description="Points with a name.")
    lines: list[StraightLine] = Field(
        default_factory=list, description="Straight lines, sum of coefficient times coordinate = value."
    )

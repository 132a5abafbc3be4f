"""Sweeps: grids of points."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Le, MinLen
from pydantic import AfterValidator, Field, StringConstraints, Tag
from pydantic_core import PydanticCustomError

from lm_interpolation.models.decoder_parts import unknown
from lm_interpolation.points.algebra import grid_values
from lm_interpolation.study.kinds.base import (
    Declaration,
    Either,
    Maybe,
    Members,
    Name,
    Names,
    Number,
    Parts,
    Problem,
    PromptsName,
    Ref,
    ScorerName,
    Unique,
    Whole,
    plain,
    undeclared,
)

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

TABLE_COLUMNS = frozenset(
    [
        "sweep",
        "prompts",
        "point",
        "scorer",
        "statistic",
        "estimate",
        "low",
        "high",
        "n_prompts",
        "n_texts",
        "n_excluded",
        "n_tokens",
        "class",
        "kind",
        "group",
        "text",
        "tokens",
        "pieces",
        "probability",
        "first_token_probability",
        "quantity",
        "value",
        "prediction",
        "change",
        "error",
        "relative_error",
        "row",
        "prompt",
        "coordinate",
    ]
)
"""Columns of tables of points, beside which stand those of the coordinates."""


def no_column(name: str) -> str:
    """``name``, if it may be the name of a coordinate. Raises a pydantic error if it is a column of tables."""
    if name in TABLE_COLUMNS:
        raise PydanticCustomError("words", f": {name!r} is a column of the tables; choose another name")
    return name


Coordinate = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$"), AfterValidator(no_column)]


class Evenly(Declaration):
    """Evenly spaced values including both ends."""

    start: Number = Field(description="First value.")
    stop: Number = Field(description="Last value.")
    count: Annotated[Whole, Ge(2), Le(10000)] = Field(description="Number of evenly spaced values.")


GridValues = Annotated[
    list[float] | Evenly,
    Either([Annotated[list[Number], MinLen(1), Tag("a list")], Annotated[Evenly, Tag("a mapping")]]),
]


class SweepSpec(Declaration):
    """A grid of points around an origin."""

    origin: Members = Field(description="The point where all coordinates are 0; its coefficients sum to 1.")
    directions: dict[Coordinate, Members] = Field(
        default_factory=dict,
        description=(
            "Coordinate to direction; the coefficients of a direction sum to 0. Needed unless the method has a setting "
            "to vary."
        ),
    )
    grid: Annotated[dict[str, GridValues], MinLen(1)] = Field(
        description=(
            "Coordinate to its values, a list or a range with both ends included: each direction, and each setting of "
            "the method that names a coordinate."
        )
    )
    anchors: list[dict[str, Number]] = Field(
        default_factory=list,
        description="Points off the grid to evaluate as well, each with all its coordinates.",
    )
    space: Literal["weights", "layers", "logits"] = Field(
        default="weights",
        description=(
            "Combine weights; or the outputs of each layer at one shared input (as in TuCo); or the logits of all "
            "models, which may differ in size, at each step (an ensemble, as in DExperts)."
        ),
    )
    prompts: Annotated[Unique[PromptsName], Parts(may_be_empty=True)] = Field(
        default_factory=list,
        description=("Names of the prompt sets to generate texts from; without them there are no texts."),
    )
    scorers: Maybe[Annotated[Names[ScorerName], Parts()]] = Field(
        default=None, description="Names of the scorers of its texts, by default all."
    )
    label: Maybe[str] = Field(default=None, description="Its name in figures, by default its own name.")
    coordinate_labels: dict[str, str] = Field(
        default_factory=dict, description="Names of its coordinates in figures, by default their own names."
    )
    method: Maybe[Annotated[Name, Ref("methods")]] = Field(
        default=None, description="Name of the method that its points are under, by default none: they are affine."
    )

    def models(self) -> list[str]:
        """Names of the models and experts that take part, in the order of the file and with repetitions."""
        return [model for part in (self.origin, *self.directions.values()) for model in part]

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from self._expert_problems(config)
        for coordinate in self.coordinate_labels:
            if coordinate not in self.grid:
                yield "coordinate_labels", undeclared("coordinate", coordinate, self.grid)
        if self.space == "layers":
            for model in dict.fromkeys(self.models()):
                architecture = config.root_of(model)[1].architecture_declared()
                if architecture and (reason := unknown(architecture["model_type"])) is not None:
                    yield "space", f"layers, but the architecture of {model!r} {reason}"
        if self.method is None:
            if not self.directions:
                yield "directions", "is empty; give at least one"
            return
        method = config.methods[self.method]
        if self.space != method.SPACE:
            yield (
                "method",
                f"{self.method!r} is one of {method.SPACE}, but the sweep is in the space of {self.space}; remove one",
            )
            return
        for coordinate, values in self.grid.items():
            if coordinate not in self.directions:
                for words in method.value_problems(coordinate, [float(value) for value in grid_values(plain(values))]):
                    yield f"grid.{coordinate}", words
        for words in method.model_problems(self.method, list(dict.fromkeys(self.models())), config):
            yield "method", words

    def _expert_problems(self, config: "StudyConfig") -> Iterator[Problem]:
        experts = [name for name in self.models() if name in config.experts and name not in config.models]
        if experts and self.space != "logits":
            yield "space", f"is {self.space}, but expert {experts[0]!r} combines logits; write space: logits"
        elif experts and not config.models_behind(self.models()):
            yield "origin", "has no model, only rules; add one"

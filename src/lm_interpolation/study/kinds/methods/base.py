"""What every stage of a method declares."""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, StringConstraints, Tag, TypeAdapter, ValidationError, WrapValidator

from lm_interpolation.points.algebra import COORDINATE_NAME, Method
from lm_interpolation.study.kinds.base import Declaration, Either, unmarked
from lm_interpolation.study.kinds.sweeps import no_column

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

Coordinate = Annotated[str, StringConstraints(pattern=rf"^{COORDINATE_NAME}$"), AfterValidator(no_column)]


class Swept(Either):
    """The type of a number within bounds, ``number``, or of the name of the coordinate that has its values."""

    def __init__(self, *bounds: Any) -> None:
        self.number = Annotated[(float, *bounds, WrapValidator(_as_written))]
        super().__init__(
            [Annotated[self.number, Tag("a number")], Annotated[Coordinate, Tag("a string")]], _number_or_name
        )


def _number_or_name(value: Any) -> str:
    return "a string" if isinstance(value, str) else "a number"


def _as_written(value: Any, check: Any) -> Any:
    check(value)
    return value


Share = Annotated[float | str, Swept(Ge(0), Le(1))]
"""0 to 1."""
PositiveShare = Annotated[float | str, Swept(Gt(0), Le(1))]
"""Above 0, at most 1."""
NotNegative = Annotated[float | str, Swept(Ge(0))]
"""0 or more."""
Factor = Annotated[float | str, Swept()]
"""Any number."""


class AnyMethod(Declaration):
    """What points of a sweep may be under."""

    SPACE: ClassVar[str]
    """The space of the points that may be under it."""

    def built(self, name: str) -> Method:
        """The method, for points and jobs."""
        raise NotImplementedError

    def value_problems(self, coordinate: str, values: list[Any]) -> Iterator[str]:
        """Words on the values of a coordinate that its settings do not allow."""
        yield from ()

    def model_problems(self, name: str, models: Collection[str], config: "StudyConfig") -> Iterator[str]:
        """Words on a sweep over these models, each once, under it; it is called ``name``."""
        yield from ()


class Stage(Declaration):
    """A stage of a method: what it is set by, and the module of ``points.methods`` that computes it."""

    MODULE: ClassVar[str]
    """Name of the module, without its package."""
    CONVEX: ClassVar[bool] = False
    """Whether weights of models must not be negative."""
    MODELS: ClassVar[int | None] = None
    """The number of models besides the base that it combines; None: any."""
    ALONE: ClassVar[bool] = False
    """Whether signs are not to be elected before it: it does that itself, or it has no use for it."""
    COMPARES: ClassVar[bool] = False
    """Whether it compares models with their base, which cannot be zero then."""

    def settings(self) -> dict[str, Any]:
        """Arguments of ``apply`` in its module; a coordinate is ``{"coordinate": name}``."""
        return _referring(self.plain(), dict(self.varied()))

    def varied(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """(key path, coordinate) of the settings that sweeps vary."""
        for path, value, _ in swept(self):
            if isinstance(value, str):
                yield path, value

    def files(self) -> list[str]:
        """The files that it reads besides models, as the study names them."""
        return []


def swept(declaration: Declaration) -> Iterator[tuple[tuple[str | int, ...], Any, Any]]:
    """(key path, value, type of the numbers) of all settings in a declaration that may name a coordinate."""
    for name, field in type(declaration).model_fields.items():
        value = getattr(declaration, name)
        if value is not None:
            yield from _swept(value, field.annotation, field.metadata, (field.alias or name,))


def _swept(
    value: Any, annotation: Any, marks: list[Any], path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Any, Any]]:
    annotation, found = unmarked(annotation)
    marked = next((mark for mark in [*marks, *found] if isinstance(mark, Swept)), None)
    if marked is not None:
        yield path, value, marked.number
    elif isinstance(value, Declaration):
        for inner, item, number in swept(value):
            yield (*path, *inner), item, number
    elif isinstance(value, list) and get_origin(annotation) is list:
        for index, item in enumerate(value):
            yield from _swept(item, get_args(annotation)[0], [], (*path, index))


def bound_problem(number: Any, value: Any) -> str | None:
    """Why ``value`` is none of the numbers of a setting; None if it is one."""
    try:
        TypeAdapter(number).validate_python(float(value))
    except ValidationError as error:
        return str(error.errors(include_url=False)[0]["msg"]).replace("Input should", "should")
    return None


def _referring(settings: Any, varied: Mapping[tuple[str | int, ...], str], path: tuple[str | int, ...] = ()) -> Any:
    if path in varied:
        return {"coordinate": varied[path]}
    if isinstance(settings, Mapping):
        return {key: _referring(value, varied, (*path, key)) for key, value in settings.items()}
    if isinstance(settings, list):
        return [_referring(value, varied, (*path, index)) for index, value in enumerate(settings)]
    return settings

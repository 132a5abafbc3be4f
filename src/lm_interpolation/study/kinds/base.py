"""Declarations: strict pydantic models of what a study may contain, and the types of their fields.

A declaration says which keys it has, what they refer to, and what the plan needs to know. It names the script that
computes and never imports the computation: the Snakefile reads all declarations, so they import nothing heavy.
"""

import difflib
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    StringConstraints,
    Tag,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.algebra import decimal
from lm_interpolation.study.settings import present

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

Problem = tuple[str, str]
"""Key path below a declaration (empty: the declaration itself), and words: what is wrong and what to do."""

T = TypeVar("T")


class Declaration(BaseModel):
    """The keys that a study may have at one place. Unknown keys and wrong types are errors; instances are immutable.

    A key that may be absent has the type ``Maybe[...]`` and the default None. A file may not set a key to ``null``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of keys: the first needs the second."""
    ONE_OF: ClassVar[tuple[str, ...]] = ()
    """Keys of which exactly one is given."""

    @model_validator(mode="after")
    def _keys_fit(self) -> "Declaration":
        given = [key for key in self.ONE_OF if self.given(key)]
        if self.ONE_OF and len(given) != 1:
            found = " and ".join(given) or "none"
            raise PydanticCustomError("words", f" has {found}; give exactly one of {', '.join(self.ONE_OF)}")
        for key, needed in self.TOGETHER:
            if self.given(key) and not self.given(needed):
                raise PydanticCustomError("words", f": {key} needs {needed}; add {needed} or remove {key}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler.resolve_ref_schema(handler(schema))
        needs: dict[str, list[str]] = {}
        for key, needed in cls.TOGETHER:
            needs.setdefault(key, []).append(needed)
        if needs:
            found["dependentRequired"] = needs
        if cls.ONE_OF:
            found["oneOf"] = [{"required": [key]} for key in cls.ONE_OF]
        return found

    def given(self, key: str) -> bool:
        """Whether the study sets ``key`` or it has a default."""
        return getattr(self, field_name(type(self), key)) is not None

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        """Mistakes within the study, beyond types and references, which are valid already."""
        yield from ()

    def plain(self) -> dict[str, Any]:
        """The declaration as mappings and lists, with defaults, in the order of the fields, without absent keys.

        Jobs are set by it, so it leaves out fields that were ``AddedLater`` while they are as before.
        """
        return {key: plain(value) for key, value in present(self).items()} | (self.model_extra or {})


def plain(value: Any) -> Any:
    """``value`` with mappings in place of declarations."""
    if isinstance(value, Declaration):
        return value.plain()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def field_name(declaration: type[Declaration], key: str) -> str:
    """The attribute that holds ``key``; its name differs where ``key`` is a Python keyword such as ``class``."""
    return next((name for name, field in declaration.model_fields.items() if field.alias == key), key)


def tag(declaration: type[Declaration], key: str = "kind") -> str:
    """The only value that ``key`` can have in this kind."""
    return str(get_args(declaration.model_fields[key].annotation)[0])


def keys_of(declaration: type[Declaration]) -> list[str]:
    """The keys that may be given."""
    return [field.alias or name for name, field in declaration.model_fields.items()]


def unmarked(annotation: Any) -> tuple[Any, list[Any]]:
    """A type without marks (``Annotated``) and without None, and its marks."""
    marks: list[Any] = []
    while get_origin(annotation) in (Annotated, Union, UnionType):
        if get_origin(annotation) is Annotated:
            annotation, *found = get_args(annotation)
            marks += found
            continue
        others = [part for part in get_args(annotation) if part is not type(None)]
        if len(others) > 1:
            break
        (annotation,) = others
    return annotation, marks


# References.


@dataclass(frozen=True)
class Ref:
    """Marks a field as the name of an entry of ``section``.

    ``section`` may contain another key in braces (``analyses.{analysis}.pairs``). The other fields say what the entry
    must be: its ``kind``; the task of a model, one of ``tasks`` if there are some, and whether the study trains it; the
    number of ``directions`` of a sweep, whether it has ``texts``, and its ``space``; whether a corpus is ``stored`` (a
    stream is not); the number of directions of the sweep that an analysis is ``along``; whether a scorer has a
    statistic with a ``barrier``. Names in ``besides`` are words of their own, and refer to nothing. A name may be that
    of a ``repeated`` entry and stand for its members. An entry of the section ``instead`` may stand in place of it.
    """

    section: str
    kind: str | None = None
    tasks: tuple[str, ...] = ()
    trained: bool = False
    directions: int | None = None
    texts: bool = False
    space: str | None = None
    stored: bool = False
    along: int | None = None
    barrier: bool = False
    besides: tuple[str, ...] = ()
    repeated: bool = False
    instead: str | None = None


@dataclass(frozen=True)
class Parts:
    """Marks a list or mapping whose items may be left out one by one if they refer to something that is left out.

    If no item is left, the enclosing part is left out too, unless ``may_be_empty``.
    """

    may_be_empty: bool = False


# Types of fields.


class _NotNull:
    """Removes None from a type: a key may be absent, but not ``null``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = [part for part in get_args(source) if part is not type(None)]
        return handler.generate_schema(Union[tuple(inner)])  # noqa: UP007


Maybe = Annotated[T | None, _NotNull()]
"""A key that may be absent. Give it the default None."""


def _whole(value: Any) -> Any:
    # 1.0e+3 is a float in YAML, and a whole number in JSON Schema.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_written(value: Any, check: Any) -> Any:
    # 1 stays 1, so that it is shown as written in the file.
    check(value)
    return value


def _coefficient(value: Any, check: Any) -> Any:
    # YAML reads 1/6 as a string.
    if not isinstance(value, str) or "/" not in value:
        return _as_written(value, check)
    try:
        return float(decimal(value))
    except UserError as error:
        raise PydanticCustomError("words", f": {error}") from None


class _Once:
    """A list without repeated items."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(_once, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"uniqueItems": True}


def _once(values: list[T]) -> list[T]:
    if any(value in values[:index] for index, value in enumerate(values)):
        raise PydanticCustomError("twice", "list each once")
    return values


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise PydanticCustomError("type", "a string, a number, or true or false")
    return value


def _cell(value: Any) -> Any:
    return value if value is None else _scalar(value)


def _shape(value: Any) -> str:
    shapes: tuple[tuple[type, str], ...] = ((str, "a string"), (list, "a list"), (dict, "a mapping"))
    return next((shape for kind, shape in shapes if isinstance(value, kind)), "")


class Either:
    """Marks a type whose values belong to one of ``alternatives``; ``chosen`` gives the ``Tag`` of the right one.

    (mypy does not accept pydantic's own notation, ``Annotated[Union[...], Discriminator(...)]``, if the union is built
    from a tuple.)
    """

    def __init__(self, alternatives: Iterable[Any], chosen: str | Callable[[Any], Any] = _shape) -> None:
        found = list(alternatives)
        self._union = Annotated[Union[tuple(found)], Discriminator(chosen)]  # noqa: UP007
        key = chosen if isinstance(chosen, str) else ""
        self.alternatives: dict[str, Any] = dict(
            (tag(one, key), one) if key else (get_args(one)[-1].tag, _untagged(*get_args(one)[:-1])) for one in found
        )
        """Tag to type."""
        self._chosen = chosen
        self._marked: dict[str, Any] = dict(zip(self.alternatives, found, strict=True))

    def type_of(self, value: Any) -> Any:
        """The alternative, with its marks, that a valid ``value`` belongs to, which is no declaration."""
        assert callable(self._chosen)
        return self._marked[self._chosen(value)]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(self._union)


def _untagged(annotation: Any, *marks: Any) -> Any:
    return Annotated[(annotation, *marks)] if marks else annotation


Whole = Annotated[int, BeforeValidator(_whole)]
"""An integer."""
NonNegativeInt = Annotated[int, Ge(0), BeforeValidator(_whole)]
Count = Annotated[int, Ge(1), BeforeValidator(_whole)]
Number = Annotated[float, WrapValidator(_as_written)]
"""An integer or a float, as it is written."""
Coefficient = Annotated[
    float,
    WrapValidator(_coefficient),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[-+]?\d+/\d+$"}]}),
]
"""A number, or a fraction such as 1/6, which becomes a number."""
Positive = Annotated[float, Gt(0), WrapValidator(_as_written)]
NonNegative = Annotated[float, Ge(0), WrapValidator(_as_written)]
Share = Annotated[float, Gt(0), Le(1), WrapValidator(_as_written)]
"""Above 0, at most 1."""
Fraction = Annotated[float, Gt(0), Lt(1), WrapValidator(_as_written)]
"""Above 0, below 1."""
Decay = Annotated[float, Ge(0), Lt(1), WrapValidator(_as_written)]
"""At least 0, below 1."""

MEMBER = re.compile(r"(.+)\.s(\d+)")
"""The name of a replicate, ``<family>.s<seed>``."""


@dataclass(frozen=True)
class Repeated:
    """A sweep, an analysis or a claim of families: it became one entry for each training seed.

    ``spec`` is what was written, with names of families and of what else is repeated (None while it has mistakes);
    ``members`` has seed to name.
    """

    spec: Declaration | None
    members: Mapping[int, str]


AllRepeated = Mapping[str, Mapping[str, Repeated]]
"""Section to its repeated entries, by the names that were written."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=180)]
"""A name that is safe in paths and in the ids of points. It becomes the name of a file, see ``names``."""
Text = Annotated[str, MinLen(1)]
"""A string that is not empty."""
Unique = Annotated[list[T], _Once()]
"""A list without repetitions."""
Names = Annotated[list[T], MinLen(1), _Once()]
"""One name or more, each once."""

Precision = Literal["fp32", "bf16", "fp16"]
PRECISION = (
    "Arithmetic of the model: fp32, or its weights, merged in fp32, are cast to bf16 or fp16 when it is loaded. An "
    "analysis of kind precision compares it with fp32."
)
TooLong = Literal["error", "cut", "drop"]
"""Texts of more tokens than a model reads: an error, which counts them, or they are cut, or dropped."""
Scale = Literal["linear", "log"]
SCALE = "Scale of the axis, or of the colours."
Words = Annotated[dict[str, Annotated[list[Text], MinLen(1), _Once()]], MinLen(1)]
WORDS = "Names of groups to their words, each taken with a space before it."
Values = Annotated[list[Number], MinLen(1)]
"""Values of a coordinate."""
Files = Annotated[
    str | list[str],
    Either([Annotated[str, Tag("a string")], Annotated[list[str], MinLen(1), Tag("a list")]]),
]
"""One path or a list of paths."""
_SCALARS = ["string", "integer", "number", "boolean"]
Scalar = Annotated[str | int | float | bool, PlainValidator(_scalar), WithJsonSchema({"type": _SCALARS})]
"""What a label may be."""
Cell = Annotated[str | int | float | bool | None, PlainValidator(_cell), WithJsonSchema({"type": [*_SCALARS, "null"]})]
"""What a cell of a table may hold."""

TASKS = {"language-model": "a language model", "classifier": "a classifier", "encoder": "an encoder"}
"""The tasks of models, in words."""
LanguageModel = Annotated[Name, Ref("models", tasks=("language-model",))]
TrainedLanguageModel = Annotated[Name, Ref("models", tasks=("language-model",), trained=True)]
ClassifierModel = Annotated[Name, Ref("models", tasks=("classifier",))]
TextModel = Annotated[Name, Ref("models", tasks=("language-model", "encoder"))]
"""A model without a head for classes."""
CorpusName = Annotated[Name, Ref("corpora")]
PromptsName = Annotated[Name, Ref("prompts")]
TokenizerName = Annotated[Name, Ref("tokenizers")]
ScorerName = Annotated[Name, Ref("scorers")]
SetName = Annotated[Name, Ref("sets")]
SearchName = Annotated[Name, Ref("searches")]
FigureName = Annotated[Name, Ref("figures")]
Member = Annotated[Name, Ref("models", tasks=("language-model",), instead="experts")]
Members = Annotated[dict[Member, Coefficient], MinLen(1)]
"""Name of a model or an expert to coefficient."""


def close_to(name: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` that ``name`` may be a misspelling of."""
    return next(iter(difflib.get_close_matches(name, sorted(names), n=1)), None)


def hint(name: str, names: Iterable[str], introduction: str) -> str:
    """The one of ``names`` that ``name`` may be a misspelling of, or else all of them."""
    names = sorted(names)
    close = close_to(name, names)
    if close:
        return f"did you mean {close!r}?"
    return f"{introduction} {textwrap.shorten(', '.join(names), 250, placeholder=' ...') or 'none'}"


def undeclared(noun: str, name: str, names: Iterable[str]) -> str:
    """The message about a ``name`` that is not among ``names``."""
    return f"{noun} {name!r} is not declared; {hint(name, names, 'declared:')}"

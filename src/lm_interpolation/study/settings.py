"""The parameters of a job as two JSON texts: the settings that determine its result, and how it runs.

Settings
    Fields of a declaration (a pydantic model) keep the order of their declaration; absent keys, whose value is None,
    are omitted. The arguments of ``job_settings`` keep their order, too. Keys of all other mappings are sorted, since a
    config may list them in any order. If the order matters, pass a list of pairs (``list(mapping.items())``).

Fields that are added later
    A new field would change the settings of every job that existed before it. Mark it where it is declared::

        space: Annotated[str, AddedLater(as_before="weights")] = "weights"

    As long as it has the value that reproduces the old behaviour, it is left out of the settings and of
    ``Declaration.plain``, from which most settings come, and no existing job reruns.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from lm_interpolation.jobs.settings import ARGUMENTS, to_text
from lm_interpolation.study.same_results import code_of


@dataclass(frozen=True)
class AddedLater:
    """Marks a field that was added after studies already had results; the value ``as_before`` changes nothing."""

    as_before: Any


def job_settings(script: str, arguments: Mapping[str, Any]) -> str:
    """All that a job's result depends on besides its inputs: the arguments of ``script``, its sources and packages.

    ``script`` is a path below ``workflow/scripts``. The names and the order of ``arguments`` come from the code, never
    from a config. Raises ``TypeError`` for a value that is neither a declaration nor JSON.
    """
    given = {key: canonical(value) for key, value in arguments.items()}
    # The code is the same in thousands of jobs.
    return f"{to_text({ARGUMENTS: given})[:-1]}, {_code(script)[1:]}"


def canonical(value: Any) -> Any:
    """``value`` in JSON form, with the order that the module's docstring describes."""
    match value:
        case BaseModel():
            return {key: canonical(part) for key, part in present(value).items()} | canonical(value.model_extra or {})
        case Mapping():
            return {key: canonical(value[key]) for key in sorted(value)}
        case list() | tuple():
            return [canonical(item) for item in value]
        case _:
            return value


def present(declaration: BaseModel) -> dict[str, Any]:
    """Key to value of the fields that are not None, in their order, without those added later that are as before."""
    fields = [(field, name, getattr(declaration, name)) for name, field in type(declaration).model_fields.items()]
    return {
        field.alias or name: value
        for field, name, value in fields
        if value is not None
        and not any(isinstance(mark, AddedLater) and value == mark.as_before for mark in field.metadata)
    }


@functools.cache
def _code(script: str) -> str:
    return to_text(code_of(script))

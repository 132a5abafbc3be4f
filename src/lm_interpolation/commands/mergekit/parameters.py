"""Values of parameters, tensor by tensor: filters, gradients over blocks, and which of several settings counts.

Source: mergekit 0.1.5, config.py (``evaluate_setting``) and parameter_resolver.py. Numbers are exact fractions.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from lm_interpolation.commands.mergekit.files import Merge, Reference
from lm_interpolation.commands.mergekit.methods import METHODS, Parameter, Value
from lm_interpolation.commands.mergekit.tensors import Tensor
from lm_interpolation.jobs.runtime import UserError, error_prefix

_SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def settings(merge: Merge, name: str, model: Reference | None = None) -> Iterator[Any]:
    """All settings of a parameter, of ``model`` or of every model."""
    for piece in merge.pieces:
        yield from (source.parameters.get(name) for source in piece.sources if model in (None, source.model))
        yield piece.parameters.get(name)
    yield merge.parameters.get(name)


def filters(merge: Merge) -> list[str]:
    """The filters of the method's parameters, in the order in which they appear."""
    found = (
        str(condition["filter"])
        for parameter in METHODS[merge.method].parameters
        for setting in settings(merge, parameter.name)
        for condition in (setting if isinstance(setting, list) else [setting])
        if isinstance(condition, Mapping) and condition.get("filter") not in (None, "*")
    )
    return list(dict.fromkeys(found))


def needs_blocks(merge: Merge) -> str | None:
    """What depends on the number of blocks (a gradient, or a filter that ends in a number), in words; else None."""
    for parameter in METHODS[merge.method].parameters:
        for setting in settings(merge, parameter.name):
            conditions = setting if isinstance(setting, list) else [setting]
            values = [one.get("value") if isinstance(one, Mapping) else one for one in conditions]
            plain = len(values) > 1 and not any(isinstance(one, Mapping) for one in conditions)
            if plain or any(isinstance(value, list) for value in values):
                return f"the gradient of {parameter.name}"
    numbered = next((text for text in filters(merge) if re.search(r"\d$|\.\d+\.", text)), None)
    return f"the filter {numbered!r}" if numbered else None


def resolve(merge: Merge, parameter: Parameter, tensor: Tensor, model: Reference | None = None) -> Value:
    """The value for a tensor (of ``model``). Raises ``UserError`` if there is none, or if it is of the wrong type."""
    piece = merge.pieces[tensor.piece]
    source = piece.source(model) if model else None
    for scope in ([source.parameters] if source else []) + [piece.parameters, merge.parameters]:
        if parameter.name in scope:
            with error_prefix(f"parameter {parameter.name}"):
                value = _evaluate(scope[parameter.name], tensor, isinstance(parameter.default, bool))
            if value is not None:
                return value
    if parameter.default is None:
        of = f" of {model}" if model else ""
        raise UserError(f"parameter {parameter.name}{of} is missing for {tensor.name}, as mergekit needs it; add it")
    return parameter.default


def _evaluate(setting: Any, tensor: Tensor, switch: bool) -> Value | None:
    if isinstance(setting, Mapping):
        setting = [setting]
    if not isinstance(setting, list):
        return _scalar(setting, switch)
    if not any(isinstance(entry, Mapping) for entry in setting):
        return _along([_scalar(entry, switch) for entry in setting], tensor.share) if setting else None
    for entry in setting:
        if not isinstance(entry, Mapping) or "value" not in entry or not set(entry) <= {"value", "filter"}:
            raise UserError(f"{setting!r} mixes values and conditions; give numbers only, or filter and value")
    for entry in setting:
        text = entry.get("filter")
        if text in (None, "*") or str(text) in tensor.name:
            return _evaluate(entry["value"], tensor, switch)
    return None


def _along(values: Sequence[Value], share: Fraction) -> Value:
    """The value at ``share`` of a list of values, evenly spaced: interpolated, or the last one before, for switches."""
    place = share * (len(values) - 1)
    first = int(place)
    if isinstance(values[first], bool):
        return values[first]
    following = values[min(first + 1, len(values) - 1)]
    return values[first] + (place - first) * (following - values[first])


def _scalar(value: Any, switch: bool) -> Value:
    if switch:
        found = _SWITCHES.get(str(value).lower())
        if found is None:
            raise UserError(f"is {value!r}; give true or false")
        return found
    try:
        # YAML reads 1e-5 as text, mergekit as a number.
        return Fraction(str(int(value) if isinstance(value, bool) else value))
    except (ValueError, ZeroDivisionError):
        raise UserError(f"is {value!r}; give a number") from None

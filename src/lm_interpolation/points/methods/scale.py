"""Scale displacements tensor by tensor."""

from collections.abc import Mapping, Sequence
from typing import Any

from lm_interpolation.points.methods.patterns import first_match, require_use
from lm_interpolation.points.methods.spaces import Change, Changed, Place, Space


def apply(space: Space, rules: Sequence[Mapping[str, Any]]) -> Space:
    """``space`` with displacements multiplied by the factor of the first rule whose pattern matches their tensor.

    A rule is ``{"tensors": pattern, "factor": number}``. What no pattern matches stays as it is. Raises ``UserError``
    for a pattern without a tensor.
    """
    patterns = [rule["tensors"] for rule in rules]
    require_use(patterns, list(space.places))

    def change(place: Place) -> Change:
        found = first_match(patterns, place.name)
        factor = 1.0 if found is None else float(rules[found]["factor"])
        return lambda chunk: {model: values * factor for model, values in chunk.values.items()}

    settings = tuple((rule["tensors"], rule["factor"]) for rule in rules)
    return Changed(space, ("scale", settings), change)

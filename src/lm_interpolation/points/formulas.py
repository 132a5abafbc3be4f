"""Combinations of names with coefficients, written for people."""

from collections.abc import Callable, Mapping
from typing import Any


def combination(coefficients: Mapping[str, Any], show: Callable[[Any], str] = "{:g}".format) -> str:
    """``0.5 base + positive − negative``, the sizes of coefficients as ``show`` writes them."""
    text = ""
    for model, value in coefficients.items():
        size = "" if abs(value) == 1 else f"{show(abs(value))} "
        sign = ("−" if value < 0 else "") if not text else (" − " if value < 0 else " + ")
        text += f"{sign}{size}{model}"
    return text

"""Values from a study's own scorer: checked one by one, and as columns of a score file."""

import math
import numbers
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lm_interpolation.jobs.runtime import UserError


def describe_text(texts: pd.DataFrame, index: int) -> str:
    """The name of a text in error messages: its prompt, its sample, its point, and its beginning.

    ``texts`` has the columns of ``line_texts.read_line_texts``.
    """
    text = texts.iloc[index]
    words = text["continuation"]
    shown = f"{words[:40]!r}{'...' if len(words) > 40 else ''}"
    return f"the text of prompt {text['row']}, sample {text['sample']} at point {text['point']} ({shown})"


def check_names(given: Collection[Any], names: Sequence[str]) -> None:
    """Raise ``UserError`` unless ``given`` are, in any order, the ``names`` of scores that the study declares."""
    lacking = [name for name in names if name not in given]
    more = [name for name in given if name not in names]
    if lacking:
        raise UserError(f"has no {lacking[0]!r}, which the study declares in scores; give it, or declare what you give")
    if more:
        raise UserError(f"has {more[0]!r}, which the study does not declare; add it to scores, or leave it out")


def as_number(value: Any, nothing: str) -> float | None:
    """``value`` as a float, or None if a text has no score; ``nothing`` is how the scorer's language writes None.

    pandas' NA and masked values of numpy mean None. Numpy numbers and one-element tensors count as numbers; so do True
    and False. Raises ``UserError`` if ``value`` is not a finite number.
    """
    if value is None or value is pd.NA or value is np.ma.masked:
        return None
    if not isinstance(value, numbers.Real) and getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    if not isinstance(value, numbers.Real):
        shown = repr(value)
        kind = f"{shown[:40]}{'...' if len(shown) > 40 else ''} ({type(value).__name__})"
        raise UserError(f"is {kind}; give a number, or {nothing} where a text has no score")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UserError(f"is {number}; give a finite number, or {nothing} where a text has no score")
    return number


def score_columns(values: Mapping[str, Iterable[float | None]]) -> pd.DataFrame:
    """One nullable float64 column per score; None becomes null."""
    return pd.DataFrame({name: pd.array(list(column), "Float64") for name, column in values.items()})

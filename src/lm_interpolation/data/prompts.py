"""Sets of prompts: texts that models continue."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.raw_values import checked_text
from lm_interpolation.data.steps import subset
from lm_interpolation.jobs.runtime import UserError

if TYPE_CHECKING:
    import pandas as pd


def choose_prompts(
    texts: Sequence[Any], place: Callable[[int], str], prompts: Mapping[str, Any], name: str
) -> "pd.DataFrame":
    """The prompts of a source: a frame of ``row`` (int64, 0-based index in the source) and ``text`` (str).

    Args:
        texts: all texts of the source; ``place(i)`` says where text i is, for messages.
        prompts: the settings of the set: ``seed``, and ``sample`` if the study gives it.
        name: of the set, for messages.

    Texts are as in the source, not stripped, and may occur more than once. ``sample`` takes exactly this many at random
    (by ``seed``), in the order of the source. Raises ``UserError`` for an empty prompt anywhere in the source, for
    anything but text, and for fewer prompts than ``sample``.
    """
    import pandas as pd

    key = f"prompts.{name}"
    for i, text in enumerate(texts):
        if not checked_text(text, place(i)).strip():
            raise UserError(f"{place(i)}: empty prompt; write one or remove it")
    count = len(texts)
    if not count:
        raise UserError(f"{key}: no prompts; give at least one")
    sample = prompts.get("sample", count)
    if sample > count:
        raise UserError(f"{key}.sample: {sample} prompts wanted, but the source has {count}; lower it")
    rows = subset(count, sample, f"{prompts['seed']} sample")
    return pd.DataFrame(
        {"row": pd.Series(rows, dtype="int64"), "text": pd.Series([texts[i] for i in rows], dtype="str")}
    )

"""Prompts that leave the models that continue them room for their tokens."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.data.corpora import write_prompts
from lm_interpolation.texts.lengths import fit, open_readers


def write_fitting(
    prompts: pd.DataFrame,
    readers: Sequence[Mapping[str, Any]],
    tokenizers: Sequence[str],
    too_long: str,
    name: str,
    output: str | Path,
) -> None:
    """Write the prompts of the set ``name`` (columns ``row`` and ``text``) that its ``readers`` can continue.

    ``tokenizers`` are the folders of the readers (see ``open_readers``), ``too_long`` says what becomes of prompts
    without room (see ``fit``). Raises ``UserError`` if it says that they are errors.
    """
    places = [f"row {row}" for row in prompts["row"]]
    # What a continuation follows is the end of a prompt.
    kept, texts = fit(
        prompts["text"].tolist(),
        open_readers(readers, tokenizers),
        too_long,
        f"prompts.{name}",
        places,
        keep_end=True,
    )
    write_prompts(prompts.iloc[kept].assign(text=texts), output)

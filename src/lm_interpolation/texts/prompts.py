"""Prompts short enough for models to continue them."""

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

    ``tokenizers`` are the folders of the readers (see ``open_readers``); ``too_long`` says how to treat prompts that
    are too long (see ``fit``). Raises ``UserError`` if these are to be errors.
    """
    places = [f"row {row}" for row in prompts["row"]]
    # A continuation follows the end of a prompt, so the end is kept.
    kept, texts = fit(
        prompts["text"].tolist(),
        open_readers(readers, tokenizers),
        too_long,
        f"prompts.{name}",
        places,
        keep_end=True,
    )
    write_prompts(prompts.iloc[kept].assign(text=texts), output)

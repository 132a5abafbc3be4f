"""The first prompts of a set, which several analyses use as prefixes."""

import os

import pandas as pd

from lm_interpolation.data.parquet import read_parquet
from lm_interpolation.jobs.runtime import UserError


def read_prefixes(path: str | os.PathLike[str], count: int) -> pd.DataFrame:
    """The first ``count`` rows of a file of prompts, with columns ``row`` and ``text``.

    Raises ``UserError`` if there are fewer.
    """
    prompts = read_parquet(path).to_pandas()
    if len(prompts) < count:
        raise UserError(f"prefixes: {count} wanted, but {path} has only {len(prompts)} prompts; lower the number")
    return prompts.head(count)

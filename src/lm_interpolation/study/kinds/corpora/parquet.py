"""The source parquet."""

from typing import Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.corpora.base import Source, SplitFiles


class Parquet(Source):
    """Parquet files."""

    source: Literal["parquet"] = Field(description="Parquet files.")
    files: SplitFiles = Field(description="The files of each split (.gz is read as well).")
    text: str = Field(description="Column of the text.")
    label: Maybe[str] = Field(default=None, description="Column of the label; leave it out for an unlabelled corpus.")

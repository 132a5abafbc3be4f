"""The source parquet."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.corpora.base import Columns
from lm_interpolation.study.kinds.corpora.files import FromFiles, SplitFiles


class Parquet(FromFiles, Columns):
    """Parquet files."""

    SCRIPT: ClassVar[str] = "data/corpus_parquet.py"

    source: Literal["parquet"] = Field(description="Parquet files.")
    files: SplitFiles = Field(description="The files of each split.")

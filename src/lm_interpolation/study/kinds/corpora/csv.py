"""The source csv."""

from typing import Annotated, Literal

from annotated_types import Len, MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.corpora.base import Source, SplitFiles


class Csv(Source):
    """CSV files."""

    source: Literal["csv"] = Field(description="CSV files.")
    files: SplitFiles = Field(description="The files of each split (.gz is read as well).")
    text: str = Field(description="Column of the text.")
    label: Maybe[str] = Field(default=None, description="Column of the label; leave it out for an unlabelled corpus.")
    separator: Maybe[Annotated[str, Len(1, 1)]] = Field(default=None, description="The character between columns.")
    columns: Maybe[Annotated[list[str], MinLen(1)]] = Field(
        default=None, description="The names of the columns of a file without a header line."
    )
    quoting: Maybe[bool] = Field(
        default=None, description="Whether double quotes enclose fields; false takes them as text."
    )
    encoding: Maybe[str] = Field(
        default=None, description="Encoding of the text, as Python calls it; by default utf-8."
    )

"""The source jsonl."""

from typing import Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.corpora.base import Source, SplitFiles


class Jsonl(Source):
    """Files with one JSON object per line."""

    source: Literal["jsonl"] = Field(description="Files with one JSON object per line.")
    files: SplitFiles = Field(description="The files of each split (.gz is read as well).")
    text: str = Field(description="Column of the text, a dotted path (as prompt.text).")
    label: Maybe[str] = Field(default=None, description="Column of the label; leave it out for an unlabelled corpus.")
    encoding: Maybe[str] = Field(
        default=None, description="Encoding of the text, as Python calls it; by default utf-8."
    )

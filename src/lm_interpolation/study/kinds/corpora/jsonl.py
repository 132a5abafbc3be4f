"""The source jsonl."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.corpora.base import ENCODING, Columns, Encoding
from lm_interpolation.study.kinds.corpora.files import FromFiles, SplitFiles


class Jsonl(FromFiles, Columns):
    """Files with one JSON object per line."""

    SCRIPT: ClassVar[str] = "data/corpus_jsonl.py"

    source: Literal["jsonl"] = Field(description="Files with one JSON object per line.")
    files: SplitFiles = Field(description="The files of each split (.gz files work, too).")
    text: str = Field(description="Column of the text, a dotted path such as prompt.text.")
    encoding: Maybe[Encoding] = Field(default=None, description=ENCODING)

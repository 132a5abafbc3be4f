"""The source of prompts jsonl."""

from typing import Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.prompts.base import Prompts


class JsonlPrompts(Prompts):
    """One JSON object per line."""

    source: Literal["jsonl"] = Field(description="One JSON object per line.")
    path: str = Field(description="The file.")
    text: Maybe[str] = Field(
        default=None,
        description=("Dotted path of the prompt in each object; by default prompt.text, as in DExperts' files."),
    )
    encoding: Maybe[str] = Field(
        default=None, description="Encoding of the file, as Python calls it; by default utf-8."
    )

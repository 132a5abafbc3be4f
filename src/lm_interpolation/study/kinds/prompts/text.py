"""The source of prompts text."""

from typing import Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.prompts.base import Prompts


class TextPrompts(Prompts):
    """One prompt per line."""

    source: Literal["text"] = Field(description="One prompt per line.")
    path: str = Field(description="The file.")
    encoding: Maybe[str] = Field(
        default=None, description="Encoding of the file, as Python calls it; by default utf-8."
    )

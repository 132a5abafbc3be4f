"""The source of prompts text."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.prompts.base import FileOfPrompts


class TextPrompts(FileOfPrompts):
    """One prompt per line."""

    SCRIPT: ClassVar[str] = "data/prompts_text.py"

    source: Literal["text"] = Field(description="One prompt per line.")

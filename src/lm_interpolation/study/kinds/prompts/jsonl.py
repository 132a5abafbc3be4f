"""The source of prompts jsonl."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.prompts.base import FileOfPrompts


class JsonlPrompts(FileOfPrompts):
    """One JSON object per line."""

    SCRIPT: ClassVar[str] = "data/prompts_jsonl.py"

    source: Literal["jsonl"] = Field(description="One JSON object per line.")
    text: Maybe[str] = Field(
        default=None,
        description=("Dotted path of the prompt in each object; by default prompt.text, as in DExperts' files."),
    )

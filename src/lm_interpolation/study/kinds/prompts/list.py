"""The source of prompts list."""

from typing import Annotated, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.prompts.base import Prompts


class ListedPrompts(Prompts):
    """A list in this file."""

    SCRIPT: ClassVar[str] = "data/prompts_list.py"

    source: Literal["list"] = Field(description="A list in this file.")
    texts: Annotated[list[str], MinLen(1)] = Field(description="The prompts.")

"""The source of prompts list."""

from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.prompts.base import Prompts


class ListedPrompts(Prompts):
    """A list in this file."""

    source: Literal["list"] = Field(description="A list in this file.")
    texts: Annotated[list[str], MinLen(1)] = Field(description="The prompts.")

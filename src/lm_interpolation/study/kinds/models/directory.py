"""A local model."""

from typing import ClassVar

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.models.base import SPECIAL_TOKENS, Origin, SpecialTokens


class FromDirectory(Origin):
    """A local folder as transformers saves it."""

    KEY: ClassVar[str] = "directory"
    IMPORTED: ClassVar[bool] = True

    directory: str = Field(description="Local Hugging Face directory with weights and tokenizer.")
    special_tokens: Maybe[SpecialTokens] = Field(default=None, description=SPECIAL_TOKENS)

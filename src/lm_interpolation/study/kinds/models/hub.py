"""A model of the Hugging Face hub."""

from typing import ClassVar

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe, Text
from lm_interpolation.study.kinds.models.base import (
    GGUF_FILE,
    SPECIAL_TOKENS,
    TOKENIZER_DIRECTORY,
    GgufFile,
    Origin,
    SpecialTokens,
)


class FromHub(Origin):
    """A model of the Hugging Face hub."""

    KEY: ClassVar[str] = "hub"
    IMPORTED: ClassVar[bool] = True
    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (("tokenizer_directory", "gguf_file"),)

    hub: str = Field(description="Id on the Hugging Face hub; needs revision.")
    revision: str = Field(description="Commit, tag or branch on the hub; only a commit can never change.")
    special_tokens: Maybe[SpecialTokens] = Field(default=None, description=SPECIAL_TOKENS)
    gguf_file: Maybe[GgufFile] = Field(default=None, description=GGUF_FILE)
    tokenizer_directory: Maybe[Text] = Field(default=None, description=TOKENIZER_DIRECTORY)

"""A local model."""

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


class FromDirectory(Origin):
    """A local folder as transformers saves it, or a GGUF file in a folder."""

    KEY: ClassVar[str] = "directory"
    IMPORTED: ClassVar[bool] = True
    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (("tokenizer_directory", "gguf_file"),)

    directory: str = Field(
        description="Local Hugging Face directory with weights and tokenizer, or the one of gguf_file."
    )
    special_tokens: Maybe[SpecialTokens] = Field(default=None, description=SPECIAL_TOKENS)
    gguf_file: Maybe[GgufFile] = Field(default=None, description=GGUF_FILE)
    tokenizer_directory: Maybe[Text] = Field(default=None, description=TOKENIZER_DIRECTORY)

"""Random weights of a declared architecture."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, Field

from lm_interpolation.study.kinds.base import Declaration, Problem, TokenizerName
from lm_interpolation.study.kinds.models.base import Origin

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

_OF_TOKENIZER = ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")


class Architecture(Declaration):
    """A transformers configuration; its keys are those of transformers."""

    model_config = ConfigDict(extra="allow")

    model_type: str = Field(description="Name of the architecture in transformers.")


class FromScratch(Origin):
    """Random weights of an architecture, with a tokenizer that the study trains."""

    KEY: ClassVar[str] = "architecture"

    architecture: Architecture = Field(
        description=(
            "A transformers configuration: model_type (such as gpt2) and its options. Vocabulary and special "
            "tokens come from the tokenizer, which is required."
        )
    )
    tokenizer: TokenizerName = Field(description="Name of a tokenizer of this file.")

    def own_tokenizer(self) -> str:
        return self.tokenizer

    def architecture_declared(self) -> Mapping[str, Any]:
        return self.architecture.plain()

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        for key in _OF_TOKENIZER:
            if key in (self.architecture.model_extra or {}):
                yield f"architecture.{key}", "the tokenizer decides; remove it"

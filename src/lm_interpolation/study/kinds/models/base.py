"""What every origin of a model declares."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from lm_interpolation.study.kinds.base import Declaration

SPECIAL_TOKENS = (
    "Of a language model: what stands before each of its texts, and is not scored. By default what its tokenizer adds "
    "(tokenizer), or a BOS (bos), or nothing (none). Models that are trained from it inherit the choice."
)
SpecialTokens = Literal["tokenizer", "bos", "none"]


class Origin(Declaration):
    """Where the weights of a model come from: the key ``start`` of a model."""

    KEY: ClassVar[str]
    """The key that says which origin it is."""
    IMPORTED: ClassVar[bool] = False
    """Whether weights and tokenizer come from outside; they are imported as they are, and not trained."""

    def parent(self) -> str | None:
        """Name of the model whose architecture and tokenizer it inherits; None if it has its own."""
        return None

    def own_tokenizer(self) -> str | None:
        """Name of the study's tokenizer that it uses; None if it comes with its own."""
        return None

    def architecture_declared(self) -> Mapping[str, Any]:
        """Its own transformers configuration as far as the study declares it."""
        return {}

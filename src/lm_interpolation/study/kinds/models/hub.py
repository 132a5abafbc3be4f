"""A model of the Hugging Face hub."""

from typing import ClassVar

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.models.base import SPECIAL_TOKENS, Origin, SpecialTokens


class FromHub(Origin):
    """A model of the Hugging Face hub."""

    KEY: ClassVar[str] = "hub"
    IMPORTED: ClassVar[bool] = True

    hub: str = Field(description="Id on the Hugging Face hub; needs revision.")
    revision: str = Field(description="Commit, tag or branch on the hub; only a commit can never change.")
    special_tokens: Maybe[SpecialTokens] = Field(default=None, description=SPECIAL_TOKENS)

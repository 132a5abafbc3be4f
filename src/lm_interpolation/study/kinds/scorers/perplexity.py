"""The scorer perplexity."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import PRECISION, LanguageModel, Precision, TooLong
from lm_interpolation.study.kinds.scorers.base import Scorer


class Perplexity(Scorer):
    """Perplexity of the texts under a judge language model."""

    SCRIPT: ClassVar[str] = "scores/perplexity.py"

    kind: Literal["perplexity"] = Field(description="Perplexity of the texts under a judge language model.")
    model: LanguageModel = Field(description="Name of the judge.")
    precision: Precision = Field(default="fp32", description=PRECISION)
    too_long: TooLong = Field(
        default="error",
        description=(
            "Texts beyond the judge's context: an error, or their end is cut, or they have no perplexity (drop)."
        ),
    )

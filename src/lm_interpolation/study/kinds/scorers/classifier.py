"""The scorer classifier."""

from typing import Annotated, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import (
    PRECISION,
    ClassifierModel,
    Maybe,
    Number,
    Precision,
    TooLong,
)
from lm_interpolation.study.kinds.scorers.base import Scorer


class Classifier(Scorer):
    """Class probabilities of a sequence classifier, and their weighted sum as the score."""

    SCRIPT: ClassVar[str] = "scores/classifier.py"

    kind: Literal["classifier"] = Field(
        description="Class probabilities of a sequence classifier, and their weighted sum as the score."
    )
    model: ClassifierModel = Field(description="Name of the classifier.")
    weights: Annotated[dict[str, Number], MinLen(1)] = Field(
        description=(
            "Class to weight; the score is the weighted sum of probabilities, classes left out weigh 0. "
            "Positive 1 and neutral 0.5 is our reading of the paper's Eq. 6."
        )
    )
    labels: Maybe[dict[str, str]] = Field(
        default=None, description="The classifier's label to the class name used here, as LABEL_0 to negative."
    )
    text: Literal["full", "continuation"] = Field(
        default="full",
        description=("Score the prompt with its continuation (full), or the continuation alone. Full is our reading."),
    )
    precision: Precision = Field(default="fp32", description=PRECISION)
    too_long: TooLong = Field(
        default="error",
        description=(
            "Texts beyond the classifier's context: an error, or cut by its tokenizer, or left without a score (drop)."
        ),
    )

"""The scorer classifier."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.points.formulas import combination
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.study.kinds.base import (
    PRECISION,
    ClassifierModel,
    Maybe,
    Number,
    Precision,
    Problem,
    TooLong,
    undeclared,
)
from lm_interpolation.study.kinds.scorers.base import Colour, Scorer

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Classifier(Scorer):
    """Class probabilities of a sequence classifier, and their weighted sum as the score."""

    SCRIPT: ClassVar[str] = "scores/classifier.py"
    COMPUTES: ClassVar[bool] = True
    IN_BATCHES: ClassVar[bool] = True
    MEMORY: ClassVar[int] = 6000
    MINUTES: ClassVar[int] = 480
    STATISTIC_WORDS: ClassVar[str] = "score: weighted sum of class probabilities; p_…: mean probability of a class"
    NO_SCORE: ClassVar[str | None] = "no token"

    kind: Literal["classifier"] = Field(
        description="Class probabilities of a sequence classifier, and their weighted sum as the score."
    )
    model: ClassifierModel = Field(description="Name of the classifier.")
    weights: Annotated[dict[str, Number], MinLen(1)] = Field(
        description=(
            "Class to weight; the score is the weighted sum of class probabilities, and classes that are not "
            "listed weigh 0. Positive 1 and neutral 0.5 is our reading of the paper's Eq. 6."
        )
    )
    labels: Maybe[dict[str, str]] = Field(
        default=None, description="The classifier's label to the class name used here, for example LABEL_0 to negative."
    )
    text: Literal["full", "continuation"] = Field(
        default="full",
        description=(
            "Score the prompt with its continuation (full), or only the continuation. Full is our reading of the paper."
        ),
    )
    precision: Precision = Field(default="fp32", description=PRECISION)
    too_long: TooLong = Field(
        default="error",
        description=(
            "What happens to texts beyond the classifier's context: error, cut (by its tokenizer) or drop (no score)."
        ),
    )

    def settings(self) -> dict[str, Any]:
        return {
            "labels": self.labels,
            "text": self.text,
            "precision": self.precision,
            "too_long": self.too_long,
        }

    def judge(self) -> str:
        return self.model

    def judge_reads_prompts(self) -> bool:
        return self.text == "full"

    def judge_precision(self) -> str:
        return self.precision

    def judged_classes(self) -> dict[str, Any]:
        return {"model": self.model, "weights": self.weights, "labels": self.labels or {}}

    def describe(self, name: str) -> str:
        weights = combination({f"P({label})": weight for label, weight in self.weights.items()})
        return f"{name}: {weights} by {self.model}"

    def statistics(self) -> list[Statistic]:
        return [
            # The paper's Eq. 6, as we read it: P(positive) + P(neutral) / 2.
            Statistic("score", {f"p_{label}": weight for label, weight in self.weights.items()}, shares="p_"),
            Statistic("p_*", each="p_", least=0, most=1),
        ]

    def statistic_names(self, config: "StudyConfig") -> list[str]:
        classes = self._relabelled(self._trained_classes(config))
        return ["score", *(f"p_{label}" for label in classes or ["<class>"])]

    def colour(self) -> Colour:
        # Classes without a weight count 0. If classes do not exclude each other, weights may add up to more.
        return Colour(self.main_statistic(), [0, *self.weights.values()])

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        classes = self._trained_classes(config)
        if classes:
            yield from self.class_problems(classes, "class")

    def class_problems(self, classes: Sequence[str], noun: str) -> Iterator[Problem]:
        for label in self.labels or {}:
            if label not in classes:
                yield "labels", undeclared(noun, label, classes)
        for label in self.weights:
            if label not in self._relabelled(classes):
                yield "weights", undeclared(noun, label, self._relabelled(classes))

    def _relabelled(self, classes: Sequence[str]) -> list[str]:
        """``classes`` of the model under their names as scores."""
        return [(self.labels or {}).get(label, label) for label in classes]

    def _trained_classes(self, config: "StudyConfig") -> list[str]:
        """Names of the classes of the model, if the study trains it; empty if it is imported."""
        data = config.models[self.model].data
        return config.corpora[data.corpus].class_names(config) if data else []

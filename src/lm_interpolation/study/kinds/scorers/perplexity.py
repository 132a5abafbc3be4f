"""The scorer perplexity."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.study.kinds.base import PRECISION, LanguageModel, Precision, TooLong
from lm_interpolation.study.kinds.scorers.base import Scorer


class Perplexity(Scorer):
    """Perplexity of the texts under a judge language model."""

    SCRIPT: ClassVar[str] = "scores/perplexity.py"
    COMPUTES: ClassVar[bool] = True
    IN_BATCHES: ClassVar[bool] = True
    MEMORY: ClassVar[int] = 16000
    MINUTES: ClassVar[int] = 1440
    STATISTIC_WORDS: ClassVar[str] = (
        "perplexity of continuation or text: mean over texts, or corpus = exp(total NLL / tokens)"
    )
    NO_SCORE: ClassVar[str | None] = "no predicted token"

    kind: Literal["perplexity"] = Field(description="Perplexity of the texts under a judge language model.")
    model: LanguageModel = Field(description="Name of the judge.")
    precision: Precision = Field(default="fp32", description=PRECISION)
    too_long: TooLong = Field(
        default="error",
        description=(
            "What happens to texts beyond the judge's context: error, cut (their end) or drop (no perplexity)."
        ),
    )

    def settings(self) -> dict[str, Any]:
        return {"precision": self.precision, "too_long": self.too_long}

    def minutes(self, attempt: int) -> int:
        # Already a day: cluster partitions rarely allow more.
        return self.MINUTES

    def judge(self) -> str:
        return self.model

    def judge_precision(self) -> str:
        return self.precision

    def describe(self, name: str) -> str:
        return f"{name}: perplexity under {self.model}"

    def statistics(self) -> list[Statistic]:
        return [statistic for part in ("continuation", "text") for statistic in (_mean(part), _corpus(part))]

    def main_statistic(self) -> Statistic:
        return _corpus("continuation")

    def card_statistics(self) -> list[str]:
        return ["continuation_mean", "continuation_corpus"]

    def summary_statistics(self) -> list[str]:
        return self.card_statistics()

    def barrier_statistic(self) -> Statistic:
        return _corpus("continuation")


def _mean(part: str) -> Statistic:
    """Mean over texts of exp(NLL / tokens)."""
    return Statistic(f"{part}_mean", {f"nll_{part}": 1}, f"tokens_{part}", exponentiate=True, least=1)


def _corpus(part: str) -> Statistic:
    """exp(total NLL / total tokens)."""
    return Statistic(f"{part}_corpus", {f"nll_{part}": 1}, f"tokens_{part}", pooled=True, exponentiate=True, least=1)

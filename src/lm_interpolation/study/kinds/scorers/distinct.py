"""The scorer distinct."""

from typing import Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.study.kinds.base import Count
from lm_interpolation.study.kinds.scorers.base import Scorer


class Distinct(Scorer):
    """Share of distinct n-grams among the samples of a prompt."""

    SCRIPT: ClassVar[str] = "scores/distinct.py"
    READS_PROMPTS: ClassVar[bool] = False
    MEMORY: ClassVar[int] = 2000
    MINUTES: ClassVar[int] = 60
    STATISTIC_WORDS: ClassVar[str] = "distinct_n: share of distinct n-grams of a prompt's samples"
    NO_SCORE: ClassVar[str | None] = "no word"

    kind: Literal["distinct"] = Field(description="Share of distinct n-grams among the samples of a prompt.")
    n: Annotated[list[Count], MinLen(1)] = Field(description="Lengths of the n-grams.")

    def settings(self) -> dict[str, Any]:
        return {"n": self.n}

    def describe(self, name: str) -> str:
        return f"{name}: distinct n-grams of the samples of a prompt"

    def statistics(self) -> list[Statistic]:
        names = [f"distinct_{size}" for size in self.n]
        return [Statistic(name, {name: 1}, texts="texts", least=0, most=1) for name in names]

    def main_statistic(self) -> Statistic:
        return self.statistics()[-1]

    def card_statistics(self) -> list[str]:
        return [statistic.name for statistic in self.statistics()]

    def summary_statistics(self) -> list[str]:
        return []

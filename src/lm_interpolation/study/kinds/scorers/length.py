"""The scorer length."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.study.kinds.scorers.base import Scorer


class Length(Scorer):
    """Number of words of each continuation."""

    SCRIPT: ClassVar[str] = "scores/length.py"
    READS_PROMPTS: ClassVar[bool] = False
    MEMORY: ClassVar[int] = 2000
    MINUTES: ClassVar[int] = 60
    STATISTIC_WORDS: ClassVar[str] = "words: mean number of words of a continuation"

    kind: Literal["length"] = Field(description="Number of words of each continuation.")

    def settings(self) -> dict[str, Any]:
        return {}

    def describe(self, name: str) -> str:
        return f"{name}: words of the continuations"

    def statistics(self) -> list[Statistic]:
        return [Statistic("words", {"words": 1}, least=0)]

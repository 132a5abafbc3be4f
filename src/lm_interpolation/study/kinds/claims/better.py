"""The claim better."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST, AT_MOST
from lm_interpolation.study.kinds.base import Maybe, Number
from lm_interpolation.study.kinds.claims.base import SCALE, Line, Scale, Score, StatisticClaim


class BetterClaim(StatisticClaim):
    """One sweep has better texts than another at equal score."""

    SECTION: ClassVar[str] = "4.2"
    STATEMENT: ClassVar[str] = (
        "At equal {score_scorer} {score_statistic}, {sweep} has {sign} {scorer} {statistic} than {than} "
        "({prompts} prompts)"
    )
    STATISTIC: ClassVar[str] = (
        "{scorer} {statistic}: {sweep} minus {than}, mean over the common range of {score_scorer} {score_statistic}"
    )
    UNIT: ClassVar[str] = "as the statistic"
    SECOND: ClassVar[str | None] = "than"

    test: Literal["better"] = Field(
        description=("Scorer statistic: sweep minus than, mean over the common range of score_scorer score_statistic.")
    )
    than: Line = Field(description="Name of the sweep it is compared with.")
    scale: Scale = Field(description=SCALE)
    sign: Literal["lower", "higher"] = Field(description="Whether lower or higher values are better.")
    score: Score = Field(description="The sweeps are compared at equal values of this statistic.")
    from_score: Maybe[Number] = Field(
        default=None, description="Lower end of the range of scores, by default the score of the other sweep at 1."
    )

    def side(self) -> str:
        return AT_MOST if self.sign == "lower" else AT_LEAST

    def values_of_words(self) -> dict[str, Any]:
        score = {"score_scorer": self.score.scorer, "score_statistic": self.score.statistic}
        return super().values_of_words() | score

    def scorers(self) -> list[str]:
        return [self.scorer, self.score.scorer]

    def statistics(self) -> list[tuple[str, str]]:
        return [*super().statistics(), (self.score.scorer, self.score.statistic)]

    def key_of_scorer(self, scorer: str) -> str:
        return "scorer" if scorer == self.scorer else "score.scorer"

"""What every kind of claim says of itself."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Len
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from lm_interpolation.study.kinds.base import Declaration, Maybe, Number, ScorerName

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

AT_MOST, AT_LEAST = "at most", "at least"


def _ordered(values: list[Any]) -> list[Any]:
    if values[0] >= values[1]:
        raise PydanticCustomError("type", "two numbers, the lower one first")
    return values


Range = Annotated[list[Number], Len(2, 2), AfterValidator(_ordered)]
"""Two numbers, the lower one first."""


class Score(Declaration):
    """A statistic of a scorer."""

    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Its statistic.")


class Claim(Declaration):
    """A claim of the paper: a statistic against a threshold.

    The defaults of its words, in the paper's words, are formatted with the keys of the claim.
    """

    SECTION: ClassVar[str]
    STATEMENT: ClassVar[str]
    STATISTIC: ClassVar[str]
    UNIT: ClassVar[str]
    """Unit of the value (of its log with ``scale: log``)."""

    test: str = Field(description="The statistic; it decides which further keys are needed.")
    threshold: Number = Field(
        description="The claim holds if the whole interval of the statistic is on its right side."
    )
    reason: str = Field(description="Why this threshold.")
    statement: Maybe[str] = Field(default=None, description="The claim in words, by default as the paper makes it.")
    section: Maybe[str] = Field(default=None, description="Section of the paper, by default where it makes the claim.")

    def side(self) -> str:
        """On which side of its threshold the claim holds: ``at most`` or ``at least``."""
        raise NotImplementedError

    def unit(self) -> str:
        """Unit of the value."""
        raise NotImplementedError

    def words(self) -> dict[str, str]:
        """``section``, ``statement`` and ``statistic`` for people."""
        raise NotImplementedError

    def scores_read(self) -> list[tuple[str, str, str]]:
        """(sweep, prompts, scorer) of the scores that it reads, each once."""
        return []

    def tables_read(self, config: "StudyConfig") -> list[str]:
        """Names of the tables of analyses that it reads."""
        return []

    def losses_read(self) -> list[str]:
        """Names of the analyses whose raw losses it reads."""
        return []

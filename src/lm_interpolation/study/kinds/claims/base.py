"""What every kind of claim declares."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Len
from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from lm_interpolation.study.kinds.base import Declaration, Maybe, Name, Number, Problem, PromptsName, Ref, ScorerName
from lm_interpolation.study.kinds.checks import check_prompted, check_scored, check_statistic

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


def _ordered(values: list[Any]) -> list[Any]:
    if values[0] >= values[1]:
        raise PydanticCustomError("type", "two numbers, the lower one first")
    return values


Range = Annotated[list[Number], Len(2, 2), AfterValidator(_ordered)]
"""Two numbers, the lower one first."""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("type", "a text")
    return text


Prose = Annotated[str, AfterValidator(_not_blank), WithJsonSchema({"type": "string", "pattern": r"\S"})]
"""A text that is not blank."""
Scale = Literal["linear", "log"]
SCALE = "Whether values are compared as they are (linear) or by their logarithms (log)."
STATISTIC = "Statistic of the scorer."
Line = Annotated[Name, Ref("sweeps", directions=1, texts=True)]
"""A sweep of one direction with texts."""


class Score(Declaration):
    """A statistic of a scorer."""

    scorer: ScorerName = Field(description="Name of the scorer.")
    statistic: str = Field(description="Its statistic.")


class Claim(Declaration):
    """A claim of the paper: a statistic against a threshold.

    The default texts follow the paper and are formatted with the keys of the claim.
    """

    SECTION: ClassVar[str]
    """Section of the paper that makes the claim."""
    STATEMENT: ClassVar[str]
    STATISTIC: ClassVar[str]
    UNIT: ClassVar[str]
    """Unit of the value (of its log with ``scale: log``)."""
    SIDE: ClassVar[str]
    """On which side of its threshold the claim holds: ``AT_MOST`` or ``AT_LEAST``."""
    DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    """Values of absent keys."""

    test: str = Field(description="The test; it determines which other keys are needed.")
    threshold: Number = Field(
        description="The claim holds if the whole interval of the statistic is on the right side of this value."
    )
    reason: Prose = Field(description="The reason for this threshold.")
    statement: Maybe[Prose] = Field(default=None, description="The claim in words, by default as in the paper.")
    section: Maybe[Prose] = Field(
        default=None, description="Section of the paper, by default the one that makes the claim."
    )

    def side(self) -> str:
        """The side of the threshold on which the claim holds: ``at most`` or ``at least``."""
        return self.SIDE

    def keys(self) -> dict[str, Any]:
        """The keys of its kind with their defaults, from which the value is computed."""
        return {**self.DEFAULTS, **{key: value for key, value in self.plain().items() if key not in Claim.model_fields}}

    def unit(self) -> str:
        """Unit of the value; on a logarithmic scale it is a ratio."""
        keys = self.keys()
        return "log ratio" if keys.get("scale") == "log" else self.UNIT.format_map(keys)

    def values_of_words(self) -> dict[str, Any]:
        """Values for the placeholders in its statement and statistic, by name."""
        values = self.keys()
        if "within" in values:
            values["within"] = "[{:g}, {:g}]".format(*values["within"])
        return values

    def words(self) -> dict[str, str]:
        """``section``, ``statement`` and ``statistic`` for people: its own, or the defaults of its kind."""
        values = self.values_of_words()
        return {
            "section": self.section or self.SECTION,
            "statement": self.statement or self.STATEMENT.format_map(values),
            "statistic": self.STATISTIC.format_map(values),
        }

    def settings(self, name: str) -> dict[str, Any]:
        """Settings of the verdict on the claim ``name``."""
        return {
            "name": name,
            "test": self.test,
            **self.words(),
            "unit": self.unit(),
            "direction": self.side(),
            "threshold": self.threshold,
            "reason": self.reason,
            "keys": self.keys(),
            "statistics": self.statistics(),
        }

    def sweeps(self) -> list[str]:
        """Names of the sweeps whose scores it reads."""
        return []

    def scores_read(self) -> list[tuple[str, str, str]]:
        """(sweep, prompts, scorer) of the scores that it reads, each once."""
        return []

    def statistics(self) -> list[tuple[str, str]]:
        """(scorer, statistic) of the scores that it names."""
        return []

    def analysis_read(self) -> str | None:
        """Name of the analysis whose table it reads; None if there is none."""
        return None

    def table_read(self) -> str:
        """Name of the table that it reads of that analysis."""
        analysis = self.analysis_read()
        assert analysis is not None
        return analysis

    def losses_read(self) -> str | None:
        """Name of the analysis whose raw losses it reads too; None if there is none."""
        return None

    def loss_analyses(self) -> list[str]:
        """Names of the loss analyses whose tables and raw losses it reads, each once."""
        name = self.losses_read()
        return [] if name is None else [name]

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        for sweep, prompts, scorer in self.scores_read():
            yield from check_scored(config, sweep, scorer, self.key_of_scorer(scorer))
            yield from check_prompted(config, sweep, prompts, "prompts")
        # Its own statistic comes first, then that of ``score``.
        for key, (scorer, statistic) in zip(("statistic", "score.statistic"), self.statistics(), strict=False):
            yield from check_statistic(config, scorer, statistic, key)

    def key_of_scorer(self, scorer: str) -> str:
        """Path of the key that names ``scorer``."""
        return "scorer"


class ScoreClaim(Claim):
    """A claim on scores along one or two sweeps of one direction."""

    SECOND: ClassVar[str | None] = None
    """The key that names the second sweep."""

    sweep: Line = Field(description="Name of the sweep.")
    prompts: PromptsName = Field(description="Name of the prompt set.")
    scorer: ScorerName = Field(description="Name of the scorer.")

    def scorers(self) -> list[str]:
        """Names of the scorers whose scores it reads along each sweep."""
        return [self.scorer]

    def sweeps(self) -> list[str]:
        return [self.sweep] if self.SECOND is None else [self.sweep, getattr(self, self.SECOND)]

    def scores_read(self) -> list[tuple[str, str, str]]:
        return [(sweep, self.prompts, scorer) for sweep in self.sweeps() for scorer in dict.fromkeys(self.scorers())]

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        if self.SECOND is not None and getattr(self, self.SECOND) == self.sweep:
            yield alike(self.SECOND, "sweep", self.sweep)
        yield from super().check(config)


class StatisticClaim(ScoreClaim):
    """A claim on one statistic along sweeps of one direction."""

    statistic: str = Field(description=STATISTIC)

    def statistics(self) -> list[tuple[str, str]]:
        return [(self.scorer, self.statistic)]


def alike(key: str, other: str, value: str) -> Problem:
    """The mistake of a claim that compares ``value`` with itself."""
    return key, f"is {value!r}, like {other}; name another one to compare with"

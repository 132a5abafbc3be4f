"""The claim share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST, AT_MOST
from lm_interpolation.study.kinds.base import Maybe, Name, Number, Problem, PromptsName, Ref, ScorerName
from lm_interpolation.study.kinds.checks import check_loss_statistic
from lm_interpolation.study.kinds.claims.base import Claim
from lm_interpolation.study.kinds.claims.losses import OURS, LossName, at_words, check_at, check_class, loss_of

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

At = Annotated[dict[str, Number], MinLen(1)]
"""The coordinates of a point."""


class ShareClaim(Claim):
    """A point of a sweep has at least, or at most, a share of what lies between two others."""

    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (
        ("scorer", "sweep"),
        ("scorer", "prompts"),
        ("sweep", "scorer"),
        ("prompts", "scorer"),
        ("class", "analysis"),
    )
    ONE_OF: ClassVar[tuple[str, ...]] = ("scorer", "analysis")
    SECTION: ClassVar[str] = OURS
    STATEMENT: ClassVar[str] = "At {at}, {what} has {side} a share of {threshold:g} of what lies from {from} to {to}"
    STATISTIC: ClassVar[str] = "{what}: (at {at} - at {from}) / (at {to} - at {from})"
    UNIT: ClassVar[str] = "share"

    test: Literal["share"] = Field(
        description="Of a loss or a score: its value at a point minus that at from, as a share of to minus from."
    )
    analysis: Maybe[LossName] = Field(default=None, description="Name of a loss analysis, instead of a scorer.")
    class_: Maybe[Name] = Field(
        default=None, alias="class", description="Class of the loss analysis, by default the mean of all."
    )
    sweep: Maybe[Annotated[Name, Ref("sweeps", texts=True)]] = Field(default=None, description="Name of the sweep.")
    prompts: Maybe[PromptsName] = Field(default=None, description="Name of the prompt set.")
    scorer: Maybe[ScorerName] = Field(default=None, description="Name of the scorer.")
    statistic: str = Field(description="Statistic of the scorer, or of the loss: nll_text or nll_token.")
    at: At = Field(description="Coordinates of the point.")
    from_: At = Field(alias="from", description="Coordinates of the point whose share is 0.")
    to: At = Field(description="Coordinates of the point whose share is 1.")
    sign: Literal["lower", "higher"] = Field(description="Whether a lower or a higher share is claimed.")

    def side(self) -> str:
        return AT_MOST if self.sign == "lower" else AT_LEAST

    def values_of_words(self) -> dict[str, Any]:
        places = {"at": at_words(self.at), "from": at_words(self.from_), "to": at_words(self.to)}
        texts = f"{self.analysis}{'' if self.class_ is None else f', {self.class_} texts'}"
        what = f"{self.scorer} {self.statistic} ({self.prompts} prompts)" if self.scorer else f"the loss of {texts}"
        return super().values_of_words() | places | {"what": what, "threshold": self.threshold, "side": self.side()}

    def sweeps(self) -> list[str]:
        return [] if self.sweep is None else [self.sweep]

    def scores_read(self) -> list[tuple[str, str, str]]:
        if self.sweep is None or self.prompts is None or self.scorer is None:
            return []
        return [(self.sweep, self.prompts, self.scorer)]

    def statistics(self) -> list[tuple[str, str]]:
        return [] if self.scorer is None else [(self.scorer, self.statistic)]

    def loss_analyses(self) -> list[str]:
        return [] if self.analysis is None else [self.analysis]

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        if self.analysis is not None:
            yield from check_loss_statistic(self.statistic, "statistic")
            yield from check_class(config, self.analysis, self.class_, "class")
        sweep = self.sweep if self.analysis is None else loss_of(config, self.analysis).sweep
        assert sweep is not None
        for key, at in (("at", self.at), ("from", self.from_), ("to", self.to)):
            yield from check_at(config, sweep, at, key)
        if self.from_ == self.to:
            yield "to", "is the point from which the share is counted; name another one"

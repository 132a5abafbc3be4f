"""The claim matched_loss."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.base import Declaration, Problem
from lm_interpolation.study.kinds.checks import LOSS_STATISTICS, check_loss_statistic
from lm_interpolation.study.kinds.claims.base import Claim, alike
from lm_interpolation.study.kinds.claims.losses import OURS, LineLossName, check_same_texts, loss_of

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class TradeOff(Declaration):
    """Two loss analyses along one sweep."""

    target: LineLossName = Field(description="Name of the loss analysis of the texts that the models were tuned to.")
    general: LineLossName = Field(description="Name of the loss analysis of general texts, along the same sweep.")


class MatchedLossClaim(Claim):
    """One sweep costs less general loss than another at equal loss on the target."""

    SECTION: ClassVar[str] = OURS
    STATEMENT: ClassVar[str] = "At equal loss on the target, {one} has a lower general loss than {other}"
    STATISTIC: ClassVar[str] = "{statistic} of {one} minus that of {other}, mean over the common range of {targets}"
    UNIT: ClassVar[str] = "nats"
    SIDE: ClassVar[str] = AT_MOST

    test: Literal["matched_loss"] = Field(
        description="General loss of method minus that of baseline, mean over the losses on the target that both reach."
    )
    method: TradeOff = Field(description="The sweep.")
    baseline: TradeOff = Field(description="The sweep that it is compared with.")
    statistic: str = Field(description=f"Statistic of the losses: {' or '.join(LOSS_STATISTICS)}.")

    def values_of_words(self) -> dict[str, Any]:
        return super().values_of_words() | {
            "one": self.method.general,
            "other": self.baseline.general,
            "targets": f"{self.method.target} and {self.baseline.target}",
        }

    def loss_analyses(self) -> list[str]:
        return list(dict.fromkeys(name for one in (self.method, self.baseline) for name in (one.target, one.general)))

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        yield from check_loss_statistic(self.statistic, "statistic")
        for key, one in (("method", self.method), ("baseline", self.baseline)):
            target, general = (loss_of(config, name) for name in (one.target, one.general))
            if target.sweep != general.sweep:
                yield f"{key}.general", f"{one.general!r} is along sweep {general.sweep!r}, not {target.sweep!r}"
            if target.corpus == general.corpus:
                yield f"{key}.general", f"{one.general!r} is of the same corpus as {one.target!r}; name another one"
        if self.method == self.baseline:
            yield alike("baseline", "method", self.method.general)
        for part in ("target", "general"):
            yield from check_same_texts(
                config, getattr(self.method, part), getattr(self.baseline, part), f"baseline.{part}"
            )

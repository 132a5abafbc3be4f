"""The claim selected."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.base import Declaration, Names, Problem
from lm_interpolation.study.kinds.checks import LOSS_STATISTICS, check_loss_statistic
from lm_interpolation.study.kinds.claims.base import Claim
from lm_interpolation.study.kinds.claims.losses import OURS, LossName, check_same_texts, loss_of

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Selection(Declaration):
    """Loss analyses along one sweep: those that choose its point, and those that measure it there."""

    choose: Names[LossName] = Field(
        description="Names of the loss analyses of the sweep; its point with the lowest mean over all of them counts."
    )
    measure: Names[LossName] = Field(
        description="Names of the loss analyses of the same sweep, of other texts, whose mean is compared there."
    )

    def sweep(self, config: "StudyConfig") -> str:
        return loss_of(config, self.choose[0]).sweep


class SelectedClaim(Claim):
    """One sweep has a lower loss than another where each is best on other texts."""

    SECTION: ClassVar[str] = OURS
    STATEMENT: ClassVar[str] = "Each where {chosen} is lowest, {measured} has a lower mean loss than {other}"
    STATISTIC: ClassVar[str] = (
        "mean {statistic} of {measured} minus that of {other}, each at the point of its sweep that is best on {chosen}"
    )
    UNIT: ClassVar[str] = "nats"
    SIDE: ClassVar[str] = AT_MOST

    test: Literal["selected"] = Field(
        description="Mean loss of method minus that of baseline, each at its point with the lowest loss on other texts."
    )
    method: Selection = Field(description="The sweep.")
    baseline: Selection = Field(description="The sweep that it is compared with.")
    statistic: str = Field(description=f"Statistic of the losses: {' or '.join(LOSS_STATISTICS)}.")

    def values_of_words(self) -> dict[str, Any]:
        return super().values_of_words() | {
            "chosen": ", ".join(dict.fromkeys([*self.method.choose, *self.baseline.choose])),
            "measured": ", ".join(self.method.measure),
            "other": ", ".join(self.baseline.measure),
        }

    def loss_analyses(self) -> list[str]:
        return list(dict.fromkeys(name for one in (self.method, self.baseline) for name in (*one.choose, *one.measure)))

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        yield from check_loss_statistic(self.statistic, "statistic")
        for key, selection in (("method", self.method), ("baseline", self.baseline)):
            sweep = selection.sweep(config)
            for part in ("choose", "measure"):
                for name in getattr(selection, part):
                    if loss_of(config, name).sweep != sweep:
                        yield f"{key}.{part}", f"{name!r} is not along sweep {sweep!r}; name analyses of one sweep"
            by = [loss_of(config, name) for name in selection.choose]
            for name in selection.measure:
                loss = loss_of(config, name)
                if any((one.corpus, one.split) == (loss.corpus, loss.split) for one in by):
                    yield f"{key}.measure", f"{name!r} is of texts that choose the point; take another split"
        for part in ("choose", "measure"):
            ours, theirs = getattr(self.method, part), getattr(self.baseline, part)
            if len(ours) != len(theirs):
                yield (
                    f"baseline.{part}",
                    f"has {len(theirs)} analyses, but method has {len(ours)}; name as many, in order",
                )
                continue
            for one, other in zip(ours, theirs, strict=True):
                yield from check_same_texts(config, one, other, f"baseline.{part}")
        if self.method.sweep(config) == self.baseline.sweep(config):
            yield "baseline", "is of the same sweep; name analyses of another one to compare with"

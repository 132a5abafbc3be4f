"""The claim start_gain."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_LEAST
from lm_interpolation.study.kinds.base import Problem
from lm_interpolation.study.kinds.checks import LOSS_STATISTICS, check_loss_statistic
from lm_interpolation.study.kinds.claims.base import Claim
from lm_interpolation.study.kinds.starts import Targets, analyses_of, check_targets

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class StartGainClaim(Claim):
    """Fine-tuning from a centroid, the target left out, reaches a lower loss than from the base."""

    SECTION: ClassVar[str] = "Regions"
    STATEMENT: ClassVar[str] = "Fine-tuning from the centroid of models of other data is better than from the base"
    STATISTIC: ClassVar[str] = "{statistic} of fine-tuning from the base minus that from the centroid, mean of {names}"
    UNIT: ClassVar[str] = "nats"
    SIDE: ClassVar[str] = AT_LEAST

    test: Literal["start_gain"] = Field(
        description="Mean over targets of the loss of fine-tuning from the base minus that from a centroid."
    )
    targets: Targets = Field(description="Targets by their names, two or more.")
    statistic: str = Field(description=f"Statistic of the losses: {' or '.join(LOSS_STATISTICS)}.")

    def values_of_words(self) -> dict[str, Any]:
        return super().values_of_words() | {"names": ", ".join(self.targets)}

    def loss_analyses(self) -> list[str]:
        return analyses_of(self.targets)

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        yield from check_loss_statistic(self.statistic, "statistic")
        yield from check_targets(config, self.targets, "targets")

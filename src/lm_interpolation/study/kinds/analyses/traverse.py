"""The analysis traverse."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.set_losses import SetLosses
from lm_interpolation.study.kinds.base import Count, Problem
from lm_interpolation.study.kinds.tables import HIGH, LOW, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Traverse(SetLosses):
    """Losses between and beyond pairs of models, and from the centroid of all outwards."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="Mean loss at one coordinate of the lines of one level.",
            columns={
                "level": (
                    "same data, same task, different: pairs of models of one data set, of one group, of different "
                    "groups; origin, random: from the centroid of all towards weights of 0, and in random directions"
                ),
                "alpha": (
                    "0 and 1 are the models of a pair, alpha and 1 - alpha are one; from the centroid, the step as a "
                    "share of its length"
                ),
                "loss": "nats per token, or per text under a probe: mean over lines, each on the data sets of its pair",
                "low": LOW,
                "high": HIGH,
                "excess": "loss minus the mean of both ends, or minus that of the centroid",
                "excess_low": "lower end of its 95 % interval",
                "excess_high": "upper end of that interval",
                "lines": "lines that count",
                "infinite": "lines whose loss is infinite, which do not",
            },
        )
    }

    kind: Literal["traverse"] = Field(
        description="Losses between and beyond pairs of models, and from the centroid of all outwards."
    )
    per_level: Count = Field(default=10, description="Number of random pairs of each level, and of random directions.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        if len(self.models(config)) < 2:
            yield "sets", "have fewer than 2 models, which make no pair; add some"

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {**super().settings(study, name), "per_level": self.per_level}

    def describe(self, name: str) -> str:
        groups = "" if self.by is None else f", groups by {self.by}"
        return (
            f"{name}: {self.loss_words()}, along lines through at most {self.per_level} random pairs of models of each "
            f"level (sets {', '.join(self.sets)}{groups}), and from the centroid of all towards the origin and in as "
            "many random directions"
        )

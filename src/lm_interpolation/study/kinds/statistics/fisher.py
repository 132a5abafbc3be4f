"""The statistic fisher."""

from typing import Literal

from pydantic import Field

from lm_interpolation.study.kinds.statistics.base import ModelStatistic


class FisherStatistic(ModelStatistic):
    """The diagonal of the empirical Fisher information of each weight."""

    kind: Literal["fisher"] = Field(
        description="Mean square of the gradient of a text's NLL, of each weight (empirical Fisher information)."
    )

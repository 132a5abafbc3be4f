"""The statistic gram."""

from typing import Literal

from pydantic import Field

from lm_interpolation.study.kinds.statistics.base import ModelStatistic


class GramStatistic(ModelStatistic):
    """The Gram matrices of what linear layers read."""

    kind: Literal["gram"] = Field(description="Gram matrix of the inputs of each linear layer, over all tokens.")

"""How the displacements of several models become one."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.points.statistic_folders import named
from lm_interpolation.study.kinds.base import Count, Name, Ref
from lm_interpolation.study.kinds.methods.base import NotNegative, Share, Stage


class Combine(Stage):
    """A combination of displacements."""

    def settings(self) -> dict[str, Any]:
        return {key: value for key, value in super().settings().items() if key != "by"}


class Mean(Combine):
    """The mean over the models that are not 0 there."""

    MODULE: ClassVar[str] = "mean"

    by: Literal["mean"] = Field(description="The mean over those that are not 0 there, as in TIES.")


class Slerp(Combine):
    """Along the great circle between two."""

    MODULE: ClassVar[str] = "slerp"
    CONVEX: ClassVar[bool] = True
    MODELS: ClassVar[int | None] = 2
    ALONE: ClassVar[bool] = True

    by: Literal["slerp"] = Field(description="Along the great circle between two, tensor by tensor (SLERP, NuSLERP).")


class Karcher(Combine):
    """The mean on the sphere."""

    MODULE: ClassVar[str] = "karcher"
    CONVEX: ClassVar[bool] = True
    ALONE: ClassVar[bool] = True

    by: Literal["karcher"] = Field(description="The mean of their directions on the sphere, tensor by tensor.")
    iterations: Count = Field(default=10, description="Most iterations of the Karcher mean.")
    tolerance: NotNegative = Field(default=1e-5, description="It ends when a step is shorter than this, in radians.")


class Stock(Combine):
    """Between the base and the mean, as in model stock."""

    MODULE: ClassVar[str] = "stock"
    CONVEX: ClassVar[bool] = True
    ALONE: ClassVar[bool] = True

    by: Literal["stock"] = Field(
        description="As far along their mean as their angles allow, tensor by tensor (model stock, Jang et al. 2024)."
    )


class Sce(Combine):
    """By mean squares, with signs elected, as in SCE."""

    MODULE: ClassVar[str] = "sce"
    CONVEX: ClassVar[bool] = True
    ALONE: ClassVar[bool] = True

    by: Literal["sce"] = Field(description="Weighted by their mean squares, signs elected (SCE, Wan et al. 2024).")


class ByStatistic(Combine):
    """By a statistic of each model."""

    CONVEX: ClassVar[bool] = True

    by: str
    statistic: str

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"statistic": named(self.statistic)}


class Fisher(ByStatistic):
    """Weighted by Fisher information."""

    MODULE: ClassVar[str] = "fisher"

    by: Literal["fisher"] = Field(
        description="Each weight by what the data say about it (Fisher merging, Matena and Raffel 2022)."
    )
    statistic: Annotated[Name, Ref("statistics", kind="fisher")] = Field(
        description="Statistic of kind fisher of each model."
    )


class Regmean(ByStatistic):
    """By regression on the inputs of layers."""

    MODULE: ClassVar[str] = "regmean"

    by: Literal["regmean"] = Field(
        description="Linear layers by regression on what they read (RegMean, Jin et al. 2023), others by their mean."
    )
    statistic: Annotated[Name, Ref("statistics", kind="gram")] = Field(
        description="Statistic of kind gram of each model."
    )
    off_diagonal: Share = Field(
        default=0.6, description="Factor of the elements of Gram matrices off their diagonals, the paper's alpha."
    )

"""How the displacements of several models become one."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Count
from lm_interpolation.study.kinds.methods.base import NotNegative, Stage


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

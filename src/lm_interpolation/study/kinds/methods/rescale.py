"""Scaling by tensor: of each displacement before, and of the combined one after all else."""

from typing import Annotated, Any, ClassVar

from annotated_types import Len, MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import Declaration, Maybe, Text
from lm_interpolation.study.kinds.methods.base import Factor, Stage


class ScaleRule(Declaration):
    """A factor for some tensors."""

    tensors: Text = Field(
        description=(
            "Pattern of the names of tensors: whole parts between points, * for any part, ** for any number of parts."
        )
    )
    factor: Factor = Field(description="Factor of their displacements.")


class Scale(Stage):
    """Factors by tensor; the first rule that matches counts, and others stay as they are."""

    MODULE: ClassVar[str] = "scale"

    rules: Annotated[list[ScaleRule], MinLen(1)]


class Rescale(Stage):
    """Factors of the combined displacement that grow from block to block, as in LiNeS."""

    MODULE: ClassVar[str] = "rescale"
    ONE_OF: ClassVar[tuple[str, ...]] = ("layers", "balanced")
    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (("other", "layers"),)

    layers: Maybe[Annotated[list[Factor], Len(2, 2)]] = Field(
        default=None,
        description="Factors of the first and of the last block (LiNeS, Wang et al. 2024); between them evenly spaced.",
    )
    other: Maybe[Factor] = Field(
        default=None, description="Factor of the tensors outside of blocks, by default that of the first block."
    )
    balanced: Maybe[Factor] = Field(
        default=None,
        description=(
            "Instead of layers, for several tasks: the last block's factor minus the first's, where the first is the "
            "L1 norm of the sum of the displacements over their number times that of the combined one."
        ),
    )

    def settings(self) -> dict[str, Any]:
        found = {"layers": None, "other": None, "balanced": None} | super().settings()
        if found["layers"] is not None and found["other"] is None:
            found["other"] = found["layers"][0]
        return found

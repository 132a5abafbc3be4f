"""Which displacements of each model are kept; the others are set to 0."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Count, NonNegativeInt, Problem, Text
from lm_interpolation.study.kinds.methods.base import Factor, NotNegative, PositiveShare, Share, Stage

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig

DENSITY = "Share that is kept."
SEED = "Seed of the random choice, which is the same at all points."


class Keep(Stage):
    """A choice among the displacements of each model."""

    def settings(self) -> dict[str, Any]:
        return {key: value for key, value in super().settings().items() if key != "by"}


class Magnitude(Keep):
    """The largest, as in TIES."""

    MODULE: ClassVar[str] = "magnitude"

    by: Literal["magnitude"] = Field(description="Keep the largest (TIES, Yadav et al. 2023).")
    density: Share = Field(description=DENSITY)
    over: Literal["model", "tensor"] = Field(
        default="model", description="Largest of the whole model, as in the paper, or of each tensor, as in mergekit."
    )


class Chance(Keep):
    """Each by chance, as in DARE."""

    MODULE: ClassVar[str] = "chance"

    by: Literal["chance"] = Field(description="Keep each with one probability (DARE, Yu et al. 2023).")
    density: Share = Field(description=DENSITY)
    rescale: Literal["inverse", "none"] = Field(
        default="inverse", description="Divide what is kept by its probability, or leave it as it is."
    )
    seed: NonNegativeInt = Field(default=0, description=SEED)


class Rank(Keep):
    """By chance, the larger ones more often, as in DELLA."""

    MODULE: ClassVar[str] = "rank"

    by: Literal["rank"] = Field(description="Keep with a probability by rank in the row (DELLA, Deep et al. 2024).")
    density: PositiveShare = Field(description=DENSITY)
    epsilon: NotNegative = Field(
        default=0.15, description="Probabilities go from density - epsilon to density + epsilon."
    )
    seed: NonNegativeInt = Field(default=0, description=SEED)

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        density, epsilon = self.density, self.epsilon
        if isinstance(density, str) or isinstance(epsilon, str) or density == 1:
            return
        if not (density - epsilon > 0 and density + epsilon < 1):
            yield "epsilon", f"{epsilon} makes probabilities outside of (0, 1) with density {density}; lower it"


class Band(Keep):
    """Neither the largest nor the smallest, as in breadcrumbs."""

    MODULE: ClassVar[str] = "band"

    by: Literal["band"] = Field(
        description="Drop the largest, then keep the largest of the rest (breadcrumbs, Davari and Belilovsky 2023)."
    )
    density: Share = Field(description=DENSITY)
    drop_top: Share = Field(default=0.01, description="Share of the largest of each tensor that is dropped.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        density, top = self.density, self.drop_top
        if not isinstance(density, str) and not isinstance(top, str) and density + top > 1:
            yield "drop_top", f"{top} and density {density} are more than 1 together; lower one"


class Variance(Keep):
    """Where models differ most, as in SCE."""

    MODULE: ClassVar[str] = "variance"

    by: Literal["variance"] = Field(
        description="Keep the positions whose displacements vary most between models (SCE, Wan et al. 2024)."
    )
    density: PositiveShare = Field(description=DENSITY)


class ByMask(Keep):
    """What a file says, as in grafting."""

    MODULE: ClassVar[str] = "mask"

    by: Literal["mask"] = Field(description="Keep what a file of masks says (grafting, Panigrahi et al. 2023).")
    file: Text = Field(
        description=(
            "Safetensors file with masks (bool, or uint8 of 0 and 1) by the names and in the shapes of tensors. A "
            "tensor without a mask is dropped."
        )
    )
    inverse: bool = Field(default=False, description="Keep the others instead.")

    def settings(self) -> dict[str, Any]:
        return {"mask": self.file, "inverse": self.inverse}

    def files(self) -> list[str]:
        return [self.file]


class Tensors(Keep):
    """Some matrices, as in half fine-tuning."""

    MODULE: ClassVar[str] = "tensors"

    by: Literal["tensors"] = Field(
        description="Keep a share of the matrices of each layer and kind at random (half fine-tuning, Hui et al. 2024)."
    )
    share: Share = Field(description="Share of the matrices that is kept.")
    seed: NonNegativeInt = Field(default=0, description=SEED)
    inverse: bool = Field(default=False, description="Keep the others instead.")


class ScaledIntruders(Keep):
    """All of them, those along intruder dimensions scaled."""

    MODULE: ClassVar[str] = "intruders"
    COMPARES: ClassVar[bool] = True

    by: Literal["intruders"] = Field(
        description="Keep all, and scale the intruder dimensions of each matrix (Shuttleworth et al. 2024)."
    )
    factor: Factor = Field(description="Factor of the intruders: 1 changes nothing, 0 takes them out.")
    k: Count = Field(default=10, description="Leading singular vectors of a matrix that may be intruders.")
    epsilon: Share = Field(
        default=0.5, description="An intruder's largest cosine to any singular vector of the base is below this."
    )

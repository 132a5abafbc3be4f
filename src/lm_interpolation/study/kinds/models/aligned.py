"""A model with its units permuted to match another one: Git Re-Basin by weight matching.

Source: Ainsworth, Hayase and Srinivasa 2022, arXiv 2209.04836.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.models.symmetries import KINDS, unknown
from lm_interpolation.study.kinds.base import LanguageModel, Names, NonNegativeInt, Problem
from lm_interpolation.study.kinds.models.base import Origin

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class FromAligned(Origin):
    """The weights of a model, permuted to be as close as possible to those of another one; it computes the same."""

    KEY: ClassVar[str] = "align"
    DERIVED: ClassVar[bool] = True

    align: LanguageModel = Field(
        description="Name of the language model whose units change places, so that it computes the same."
    )
    to: LanguageModel = Field(description="Name of the language model whose weights it should come close to.")
    permute: Names[Literal["residual", "heads", "mlp"]] = Field(
        default=["residual", "heads", "mlp"],
        description="What may change places: units of the residual stream, attention heads with their units, hidden "
        "units of the MLPs.",
    )
    seed: NonNegativeInt = Field(default=0, description="Seed of the order in which permutations are improved.")

    def needs(self) -> list[tuple[str, str]]:
        return [("models", self.align), ("models", self.to)]

    def resolved(self, config: "StudyConfig") -> dict[str, Any]:
        # In one order, since no result depends on it.
        return {"permute": [kind for kind in KINDS if kind in self.permute]}

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        if self.align == self.to:
            yield "to", f"is {self.to!r}, like align; name another model"
        architecture = config.root_of(self.align)[1].architecture_declared()
        if architecture and (reason := unknown(architecture["model_type"])) is not None:
            yield "align", f"its architecture {reason}"

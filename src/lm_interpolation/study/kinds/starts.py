"""Targets whose fine-tuning starts from a centroid and from the base, for what compares the two."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.analyses.model_loss import ModelLoss
from lm_interpolation.study.kinds.base import Declaration, LanguageModel, Maybe, Name, Names, Problem, Ref

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class StartTarget(Declaration):
    """What one target is measured with, and the models trained on it, which pair in order."""

    analysis: Annotated[Name, Ref("analyses", kind="model_loss")] = Field(
        description="Name of the analysis of the losses of these models on texts of the target."
    )
    class_: Maybe[Annotated[Name, Ref("analyses.{analysis}.classes")]] = Field(
        default=None, alias="class", description="Class of the analysis, by default the mean of all."
    )
    centroid: Names[LanguageModel] = Field(
        description="Names of the models, or families, that were trained from a centroid of other data."
    )
    base: Names[LanguageModel] = Field(
        description="Names of the models, or families, that were trained in the same way from the base, in this order."
    )

    def problems(self, config: "StudyConfig") -> Iterator[Problem]:
        """Mistakes, beyond references."""
        if len(self.centroid) != len(self.base):
            yield "base", f"has {len(self.base)} models, but centroid has {len(self.centroid)}; name as many, in order"
        analysis = config.analyses[self.analysis]
        assert isinstance(analysis, ModelLoss)
        measured = analysis.names(config)
        for name in [*self.centroid, *self.base]:
            if name not in measured:
                yield "analysis", f"{self.analysis!r} does not measure model {name!r}; add it to its models or sets"
        for one, other in zip(self.centroid, self.base, strict=False):
            first, second = config.models[one], config.models[other]
            if one == other or first.start == second.start:
                yield "base", f"{other!r} starts like {one!r}; name a model that starts from the base"
            elif (first.data, first.training) != (second.data, second.training):
                yield "base", f"{other!r} differs from {one!r} in data or training; pairs differ in their start alone"


Targets = Annotated[dict[Name, StartTarget], MinLen(2)]
"""Name of a target, as it is shown, to its models."""


def check_targets(config: "StudyConfig", targets: Mapping[str, StartTarget], key: str) -> Iterator[Problem]:
    """Mistakes in targets, which are the value of ``key``."""
    for name, target in targets.items():
        yield from ((f"{key}.{name}.{path}", words) for path, words in target.problems(config))


def analyses_of(targets: Mapping[str, StartTarget]) -> list[str]:
    """Names of the analyses of targets, each once."""
    return list(dict.fromkeys(target.analysis for target in targets.values()))

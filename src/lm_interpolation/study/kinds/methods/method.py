"""A method: what happens to displacements from a base before they are added."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.points.algebra import ZERO, Method
from lm_interpolation.points.statistic_folders import statistics_of
from lm_interpolation.study.kinds.base import Maybe, Name, Problem, Ref, tag
from lm_interpolation.study.kinds.catalog import COMBINES, SUM, AnyCombine, AnyKeep
from lm_interpolation.study.kinds.methods.base import AnyMethod, Stage, bound_problem, swept
from lm_interpolation.study.kinds.methods.rescale import Rescale, Scale, ScaleRule
from lm_interpolation.study.sources import module_digests

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Elect(Stage):
    """The election of signs."""

    MODULE: ClassVar[str] = "elect"


class MethodSpec(AnyMethod):
    """Stages that displacements of models from a base go through: scale, keep, elect, combine, rescale."""

    SPACE: ClassVar[str] = "weights"

    base: Maybe[Annotated[Name, Ref("models", tasks=("language-model",), besides=(ZERO,))]] = Field(
        default=None,
        description=(
            "Model that displacements are measured from; zero means that they are the weights themselves, as does "
            "leaving it out of a method that only combines."
        ),
    )
    scale: list[ScaleRule] = Field(
        default_factory=list, description="First stage: factors of displacements by tensor; the first match counts."
    )
    keep: Maybe[AnyKeep] = Field(default=None, description="Second stage: which displacements are kept.")
    elect: Maybe[Literal["sum"]] = Field(
        default=None,
        description="Third stage: set displacements to 0 that are against the sign of their weighted sum (TIES).",
    )
    combine: AnyCombine = Field(default=SUM, description="Fourth stage: how displacements are combined.")
    rescale: Maybe[Rescale] = Field(
        default=None, description="Last stage: factors of the combined displacement, by block (LiNeS)."
    )

    def stages(self) -> list[tuple[str, Stage]]:
        """(key, declaration) of its stages, in their order."""
        found: list[tuple[str, Stage]] = []
        if self.scale:
            found.append(("scale", Scale(rules=self.scale)))
        if self.keep is not None:
            found.append(("keep", self.keep))
        if self.elect is not None:
            found.append(("elect", Elect()))
        if (combination := self.combination()) is not None:
            found.append(("combine", combination))
        if self.rescale is not None:
            found.append(("rescale", self.rescale))
        return found

    def combination(self) -> Stage | None:
        """How displacements are combined; None for their sum."""
        if not isinstance(self.combine, str):
            return self.combine
        if self.combine == SUM:
            return None
        (kind,) = (kind for kind in COMBINES if tag(kind, "by") == self.combine)
        return kind.model_validate({"by": self.combine})

    def varied(self) -> list[tuple[str, Any, str]]:
        """(key path, type of the numbers, coordinate) of each setting that sweeps vary."""
        found = []
        for key, stage in self.stages():
            for path, value, number in swept(stage):
                if isinstance(value, str):
                    # The rules of the first stage are the entry itself.
                    place = path[1:] if key == "scale" else path
                    found.append((".".join(map(str, (key, *place))), number, value))
        return found

    def base_model(self) -> str | None:
        """The model that displacements are measured from; None if they are the weights themselves."""
        return None if self.base == ZERO else self.base

    def built(self, name: str) -> Method:
        stages = [stage for _, stage in self.stages()]
        recipe = {
            "stages": [{"module": stage.MODULE, "settings": stage.settings()} for stage in stages],
            "files": sorted({file for stage in stages for file in stage.files()}),
            "code": module_digests(f"points.methods.{stage.MODULE}" for stage in stages),
        }
        coordinates = tuple(sorted({coordinate for _, _, coordinate in self.varied()}))
        return Method(name, self.base_model(), coordinates, any(stage.CONVEX for stage in stages), recipe)

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        stages = self.stages()
        if not stages:
            yield "", "has no stage: its points would be affine; add keep, combine or another"
        if self.base is None and any(key != "combine" for key, _ in stages):
            yield "base", f"missing: what displacements are measured from; name a model, or {ZERO} for the weights"
        if self.base == ZERO and any(stage.COMPARES for _, stage in stages):
            yield "base", f"is {ZERO}, with which nothing can be compared; name a model"
        combination = self.combination()
        if self.elect is not None and combination is not None and combination.ALONE:
            yield "elect", f"has no use before combine: {combination.plain()['by']}; remove it"

    def value_problems(self, coordinate: str, values: list[Any]) -> Iterator[str]:
        for key, number, name in self.varied():
            for value in values if name == coordinate else ():
                if words := bound_problem(number, value):
                    yield f"{value} is no value of the method's {key}, which {words}"

    def model_problems(self, name: str, models: Collection[str], config: "StudyConfig") -> Iterator[str]:
        combination = self.combination()
        if combination is not None and combination.MODELS is not None:
            others = set(models) - {self.base}
            if len(others) != combination.MODELS:
                yield (
                    f"{name!r} combines {combination.MODELS} models besides its base, but the sweep has "
                    f"{', '.join(sorted(others)) or 'none'}; correct the coefficients"
                )
        for statistic in statistics_of(config.method(name)):
            for model in models:
                if model != self.base and (why := config.statistics[statistic].problem(config, statistic, model)):
                    yield why

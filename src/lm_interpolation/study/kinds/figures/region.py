"""The figure region."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.region import Region
from lm_interpolation.study.kinds.base import Name, Names, Ref
from lm_interpolation.study.kinds.figures.base import Figure

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


class RegionFigure(Figure):
    """Losses of models, of points of their convex hull, and of points outside, a panel per analysis."""

    SCRIPT: ClassVar[str] = "figures/plot_region.py"
    CAPTION: ClassVar[str] = "figures/caption_region.py"

    kind: Literal["region"] = Field(
        description="Losses of models, of points of their convex hull, and of points outside, a panel per analysis."
    )
    analyses: Names[Annotated[Name, Ref("analyses", kind="region")]] = Field(
        description="Names of the analyses, one per level: same data set, same task, all models."
    )

    def analyses_behind(self) -> list[str]:
        return list(self.analyses)

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.table(f"{name}{suffix}") for name in self.analyses for suffix in Region.TABLES]

    def inputs(self, study: "Study") -> dict[str, Any]:
        tables = self.tables_behind(study)
        return {"losses": tables[::2], "comparisons": tables[1::2]}

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {"levels": [_level(study, name) for name in self.analyses]}

    def settings(self, study: "Study") -> dict[str, Any]:
        return self.drawn(study)


def _level(study: "Study", name: str) -> str:
    analysis = study.analysis(name)
    assert isinstance(analysis, Region)
    return "All models" if analysis.by is None else f"Groups by {analysis.by}"

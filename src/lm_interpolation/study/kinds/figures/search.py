"""The figure search."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.pages.descriptions import describe_search
from lm_interpolation.study.kinds.base import Names, SearchName
from lm_interpolation.study.kinds.figures.base import Figure

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class SearchFigure(Figure):
    """Dev perplexity of all trials of searches."""

    SCRIPT: ClassVar[str] = "figures/plot_search.py"
    CAPTION: ClassVar[str] = "figures/caption_search.py"
    TABLE_CAPTION: ClassVar[str | None] = "tables/table_caption_search.py"

    kind: Literal["search"] = Field(description="Dev perplexity of all trials of searches.")
    searches: Names[SearchName] = Field(description="Names of the searches.")

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.table(search) for search in self.searches]

    def inputs(self, study: "Study") -> dict[str, Any]:
        return {"tables": self.tables_behind(study)}

    def drawn(self, study: "Study") -> dict[str, Any]:
        return {}

    def settings(self, study: "Study") -> dict[str, Any]:
        return {}

    def facts(self, study: "Study") -> list[str]:
        return [describe_search(search, study.config["searches"][search]) for search in self.searches]

    def series(self, config: "StudyConfig") -> int:
        grids = (config.searches[search].grid for search in self.searches)
        return len({rate for grid in grids for rate in grid.learning_rate})

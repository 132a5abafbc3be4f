"""The figure search."""

from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Names, SearchName
from lm_interpolation.study.kinds.figures.base import Figure


class SearchFigure(Figure):
    """Dev perplexity of all trials of searches."""

    SCRIPT: ClassVar[str] = "figures/search.py"

    kind: Literal["search"] = Field(description="Dev perplexity of all trials of searches.")
    searches: Names[SearchName] = Field(description="Names of the searches.")

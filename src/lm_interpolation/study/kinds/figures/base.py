"""What every kind of figure says of itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge
from pydantic import Field

from lm_interpolation.study.kinds.base import Declaration, Positive, Whole

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Figure(Declaration):
    """A figure, and the text beside it. Its script draws ``figures/<name>.png`` and ``.pdf``."""

    SCRIPT: ClassVar[str]
    """The script that draws, below workflow/scripts."""

    kind: str = Field(description="Kind of figure.")
    title: str = Field(default="", description="Title over the panels.")
    caption: str = Field(default="", description="What the figure shows; it opens the text beside the figure.")
    paper: str = Field(
        default="",
        description="Where the experiment stands in the paper and its setting there, for the text beside the figure.",
    )
    section: str = Field(
        default="",
        description=(
            "Category of the figure, and of the tables behind it, in the report; the section of the paper for instance."
        ),
    )
    panel_width: Positive = Field(default=3.6, description="Width of a panel in inches.")
    panel_height: Positive = Field(default=2.8, description="Height of a panel in inches.")
    dpi: Annotated[Whole, Ge(50)] = Field(default=200, description="Resolution of the PNG in dots per inch.")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        """Names of the sweeps that it shows, directly or through an analysis."""
        raise NotImplementedError

    def scorers_behind(self, config: "StudyConfig") -> set[str]:
        """Names of the scorers whose statistics it shows."""
        return set()

    def analyses_behind(self) -> list[str]:
        """Names of the analyses that it shows."""
        return []

    def tables_behind(self, study: "Study") -> list[str]:
        """Paths of the tables, or loss curves, that it is drawn from, in the order of its script."""
        raise NotImplementedError

    def inputs(self, study: "Study") -> dict[str, Any]:
        """Named inputs of its job: paths, or lists of paths."""
        raise NotImplementedError

    def settings(self, study: "Study") -> dict[str, Any]:
        """What its job is set by: exactly the arguments of the function that its script calls."""
        raise NotImplementedError

    def series(self, config: "StudyConfig") -> int:
        """Most series that a panel draws; 0 where it draws none."""
        return 0

    def panels_of(self, scorer: str) -> list[Mapping[str, Any]]:
        """Panels that show ``scorer``, from which the explorer takes labels and scales."""
        return []

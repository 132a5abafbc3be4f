"""What every kind of scorer says of itself."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from lm_interpolation.study.kinds.base import Declaration

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Scorer(Declaration):
    """What is measured on the texts of a point. Its script computes the scores of the texts of a line of points."""

    SCRIPT: ClassVar[str]
    """The script that scores, below workflow/scripts."""

    kind: str = Field(description="Kind of scorer.")

    def judge(self) -> str | None:
        """Name of the model that scores; None if no model does."""
        return None

    def describe(self, name: str) -> str:
        """One line for captions: what the scorer called ``name`` measures."""
        raise NotImplementedError

    def statistics(self, config: "StudyConfig") -> list[str] | None:
        """Names of the statistics that it has; None if they depend on files that are read later."""
        raise NotImplementedError

    def default_panel(self, name: str) -> dict[str, str]:
        """``statistic``, ``label`` and ``scale`` of its panel in the explorer, where no figure shows the scorer."""
        raise NotImplementedError

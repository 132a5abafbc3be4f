"""What every kind of figure declares."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge
from pydantic import Field

from lm_interpolation.figures.series import too_many
from lm_interpolation.study.kinds.base import Declaration, Name, Positive, Problem, Whole

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Figure(Declaration):
    """A figure and the text beside it. Its script draws ``figures/<name>.png`` and ``.pdf``."""

    SCRIPT: ClassVar[str]
    """The script that draws, below workflow/scripts."""
    CAPTION: ClassVar[str]
    """The script that writes the text beside the figure."""
    TABLE_CAPTION: ClassVar[str | None] = None
    """The script that writes the text beside a table from which alone the figure is drawn: it says what is found."""

    kind: str = Field(description="Kind of figure.")
    title: str = Field(default="", description="Title over the panels.")
    caption: str = Field(default="", description="What the figure shows; the text beside the figure begins with it.")
    paper: str = Field(
        default="",
        description="Place of the experiment in the paper and its setting there, for the text beside the figure.",
    )
    section: str = Field(
        default="",
        description=("Category of the figure and its tables in the report, for example the section of the paper."),
    )
    panel_width: Positive = Field(default=3.6, description="Width of a panel in inches.")
    panel_height: Positive = Field(default=2.8, description="Height of a panel in inches.")
    dpi: Annotated[Whole, Ge(50)] = Field(default=200, description="Resolution of the PNG in dots per inch.")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        """Names of the sweeps that it shows, directly or through an analysis."""
        return []

    def scorers_behind(self, config: "StudyConfig") -> set[str]:
        """Names of the scorers whose statistics it shows."""
        return set()

    def analyses_behind(self) -> list[str]:
        """Names of the analyses that it draws and the text beside it describes."""
        return []

    def tables_behind(self, study: "Study") -> list[str]:
        """Paths of the tables or loss curves that it is drawn from, each once."""
        raise NotImplementedError

    def inputs(self, study: "Study") -> dict[str, Any]:
        """Named inputs of its script: paths, or lists of paths."""
        raise NotImplementedError

    def drawn(self, study: "Study") -> dict[str, Any]:
        """What it draws: exactly the arguments of its ``find_<kind>`` apart from tables and judges."""
        raise NotImplementedError

    def settings(self, study: "Study") -> dict[str, Any]:
        """Its settings: exactly the arguments of its script's ``main`` apart from ``look``."""
        raise NotImplementedError

    def look(self) -> dict[str, Any]:
        """The settings of every figure: title, size of a panel in inches, dots per inch."""
        return {key: getattr(self, key) for key in ("title", "panel_width", "panel_height", "dpi")}

    def facts(self, study: "Study") -> list[str]:
        """Further lines for the text beside it, apart from those on its sweeps, scorers and analyses."""
        return []

    def series(self, config: "StudyConfig") -> int:
        """Largest number of series in a panel; 0 if it draws none."""
        return 0

    def score_panels(self) -> list[dict[str, Any]]:
        """Its panels that show a scorer, as mappings; the explorer takes labels and scales from them."""
        return []

    def markers_on(self, sweep: str) -> list[dict[str, Any]] | None:
        """The named points that it marks on a plane; None if it does not show ``sweep`` as a plane."""
        return None

    def coordinate_labels(self, config: "StudyConfig") -> dict[str, str]:
        """Coordinate to its label, if the sweeps behind it give one."""
        sweeps = (config.sweeps[name] for name in self.sweeps_behind(config))
        return {name: label for sweep in sweeps for name, label in sweep.coordinate_labels.items()}

    def sweep_labels(self, config: "StudyConfig") -> dict[str, str]:
        """Sweep to its label, by default its name."""
        names = self.sweeps_behind(config)
        return {name: name if (label := config.sweeps[name].label) is None else label for name in names}

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        words = too_many(self.series(config))
        if words is not None:
            yield "", words


class AnalysisFigure(Figure):
    """A figure of one analysis, drawn from its table."""

    analysis: Name = Field(description="Name of the analysis.")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return config.analyses[self.analysis].sweeps_behind(config)

    def scorers_behind(self, config: "StudyConfig") -> set[str]:
        return set(config.analyses[self.analysis].scorers_behind(config))

    def analyses_behind(self) -> list[str]:
        return [self.analysis]

    def tables_behind(self, study: "Study") -> list[str]:
        return [study.table(self.analysis)]

    def inputs(self, study: "Study") -> dict[str, Any]:
        return {"table": study.table(self.analysis)}

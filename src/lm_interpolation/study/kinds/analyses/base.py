"""What every kind of analysis says of itself."""

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field

from lm_interpolation.study.kinds.base import Declaration

if TYPE_CHECKING:
    from lm_interpolation.points.algebra import Point
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class TableWords(NamedTuple):
    """What the text beside a table says: what a row is, and what the columns of this kind of table mean."""

    row: str
    columns: dict[str, str]


class Analysis(Declaration):
    """What is computed at points or from weights. Its script writes ``tables/<name>.csv``."""

    SCRIPT: ClassVar[str]
    """The script that computes, below workflow/scripts."""
    TABLES: ClassVar[dict[str, TableWords]]
    """Suffix of the name of each table (empty: the first) to the words on it."""
    MEASURES_TIME: ClassVar[bool] = False
    """Whether the output differs from rebuild to rebuild, since it holds timings."""
    ABOUT_TEXTS: ClassVar[bool] = False
    """Whether it rests on generated texts, so that its caption says how they are sampled."""

    kind: str = Field(description="Kind of analysis.")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        """Names of the sweeps that it is about, directly or through other analyses."""
        raise NotImplementedError

    def scorers_behind(self, config: "StudyConfig") -> list[str]:
        """Names of the scorers whose statistics stand in its table."""
        return []

    def continued_prompts(self) -> str | None:
        """The prompt set that its job itself continues with the models of its sweep; None if it generates nothing."""
        return None

    def merged_points(self, study: "Study") -> list["Point"]:
        """Points that are merged to disk for it."""
        return []

    def models_read(self, study: "Study") -> list[str]:
        """Names of the models that its job reads, in the order of its settings."""
        raise NotImplementedError

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        """Named inputs of its job: paths, or lists of paths."""
        raise NotImplementedError

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        """What its job is set by: exactly the arguments of the function that its script calls."""
        raise NotImplementedError

    def describe(self, name: str) -> str:
        """One line for captions: what the analysis called ``name`` does."""
        raise NotImplementedError

"""The source csv."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Problem
from lm_interpolation.study.kinds.corpora.files import FromFiles, SeparatedValues, SplitFiles

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Csv(FromFiles, SeparatedValues):
    """CSV files."""

    SCRIPT: ClassVar[str] = "data/corpus_csv.py"

    source: Literal["csv"] = Field(description="CSV files.")
    files: SplitFiles = Field(description="The files of each split (.gz files work, too).")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        yield from self.column_problems()

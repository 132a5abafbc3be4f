"""What the kinds of a study's own scorers share: names of scores, files of code, a GPU."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_types import MinLen
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.scores.own_files import source_digest
from lm_interpolation.scores.statistic import Statistic
from lm_interpolation.study.kinds.base import Problem, Text, Unique
from lm_interpolation.study.kinds.scorers.base import Colour, Scorer
from lm_interpolation.study.paths import system_errors

_KEYS = ("point", "row", "sample")


def _no_key(name: str) -> str:
    if name in _KEYS:
        raise PydanticCustomError("words", f": {name} says whose score it is; choose another name")
    return name


ScoreName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60), AfterValidator(_no_key)]
"""A column of score files, beside those that say whose score it is."""


class OwnScorer(Scorer):
    """Numbers that the study's own code assigns to each text; the mean of each number is a statistic."""

    COMPUTES: ClassVar[bool] = True
    MEMORY: ClassVar[int] = 8000
    MINUTES: ClassVar[int] = 1440
    STATISTIC_WORDS: ClassVar[str] = "scores of the study's own: mean over texts"
    NO_SCORE: ClassVar[str | None] = "none given by the scorer"

    scores: Annotated[Unique[ScoreName], MinLen(1)] = Field(
        default_factory=lambda: ["score"], description="Names of the numbers that it assigns to each text."
    )
    files: Unique[Text] = Field(
        default_factory=list,
        description="Other files that the scores depend on, such as modules and word lists. If one changes, texts are "
        "scored again.",
    )
    gpu: bool = Field(
        default=False,
        description="Whether it gets a GPU in a study on cuda; otherwise it sees none. Does not affect scores.",
    )

    def minutes(self, attempt: int) -> int:
        # Already a day: cluster partitions rarely allow more.
        return self.MINUTES

    def uses_gpu(self) -> bool:
        return self.gpu

    def statistics(self) -> list[Statistic]:
        return [Statistic(name, {name: 1}) for name in self.scores]

    def card_statistics(self) -> list[str]:
        return self.scores

    def summary_statistics(self) -> list[str]:
        return self.scores

    def colour(self) -> Colour:
        return Colour(self.main_statistic(), [])

    def digests(self, files: Iterable[str]) -> dict[str, str]:
        """Digest of each file that the scores depend on."""
        return {file: source_digest(file) for file in dict.fromkeys([*files, *self.files])}

    def file_problems(self) -> Iterator[Problem]:
        for index, file in enumerate(self.files):
            for words in unreadable(file):
                yield f"files.{index}", words


def unreadable(file: str) -> Iterator[str]:
    """Why a file cannot be read; nothing if it can be."""
    try:
        with system_errors():
            exists = Path(file).exists()
    except UserError as error:
        yield str(error)
        return
    if not exists:
        yield f"file {file} does not exist; paths are relative to the folder in which the study runs ({Path.cwd()})"
    elif not Path(file).is_file():
        yield f"{file} is not a file; name the files in it one by one"
    elif not os.access(file, os.R_OK):
        yield f"file {file} may not be read; change its permissions"

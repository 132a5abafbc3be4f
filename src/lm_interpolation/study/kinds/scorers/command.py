"""The scorer command."""

import os
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import Positive, Problem, Text
from lm_interpolation.study.kinds.scorers.own import OwnScorer, unreadable
from lm_interpolation.study.paths import is_file


class Command(OwnScorer):
    """Numbers that a program assigns to each text; it reads and writes JSON lines."""

    SCRIPT: ClassVar[str] = "scores/command.py"

    kind: Literal["command"] = Field(
        description="Numbers that a program assigns to each text; it reads and writes JSON lines."
    )
    command: Annotated[list[Text], MinLen(1)] = Field(
        description=(
            "The program and its arguments. It runs without a shell, once per line of points. Arguments that name "
            "files count as code: if a file changes, texts are scored again."
        )
    )
    timeout: Positive = Field(
        default=3600, description="Seconds to wait for the program's next line. Does not affect scores."
    )

    def settings(self) -> dict[str, Any]:
        return {
            "command": self.command,
            "scores": self.scores,
            "digests": self.digests(filter(is_file, self.command)),
        }

    def execution(self) -> dict[str, Any]:
        return {"timeout": self.timeout}

    def describe(self, name: str) -> str:
        scores = f"{', '.join(self.scores)} by " if self.scores != ["score"] else ""
        return f"{name}: {scores}the command {' '.join(self.command)}"

    def file_problems(self) -> Iterator[Problem]:
        program = self.command[0]
        # A name without a slash is looked up where the job runs.
        if os.sep in program:
            problems = [*unreadable(program)]
            if not problems and not os.access(program, os.X_OK):
                problems = [f"{program} is not executable; use chmod +x, or put the program that runs it first"]
            yield from (("command.0", words) for words in problems)
        for index, word in enumerate(self.command):
            if "\0" in word:
                yield f"command.{index}", "holds a character NUL, which no program can be given; remove it"
        yield from super().file_problems()

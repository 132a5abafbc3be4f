"""The scorer python."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from lm_interpolation.jobs.code import blocks
from lm_interpolation.study.kinds.base import Problem, Text, hint
from lm_interpolation.study.kinds.scorers.own import OwnScorer, unreadable
from lm_interpolation.study.local_imports import with_imports


class Python(OwnScorer):
    """Numbers that a function in a Python file of the study assigns to each text."""

    SCRIPT: ClassVar[str] = "scores/python.py"

    kind: Literal["python"] = Field(
        description="Numbers that a function in a Python file of the study assigns to each text."
    )
    file: Text = Field(description="The Python file. It may import installed packages and modules in the same folder.")
    function: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$")] = Field(
        default="score",
        description=(
            "Name of the function. It takes a list of texts and a list of their prompts. It returns a list with a "
            "number or None for each text, or a mapping of names to such lists."
        ),
    )
    text: Literal["continuation", "full"] = Field(
        default="full",
        description="Whether the texts are prompts with their continuations (full) or only the continuations.",
    )

    def settings(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "function": self.function,
            "text": self.text,
            "scores": self.scores,
            "digests": self.digests(with_imports(self.file)),
        }

    def describe(self, name: str) -> str:
        scores = f"{', '.join(self.scores)} by " if self.scores != ["score"] else ""
        return f"{name}: {scores}{self.function}() of {Path(self.file).name}"

    def file_problems(self) -> Iterator[Problem]:
        problems = [*unreadable(self.file)]
        yield from (("file", words) for words in problems)
        if not problems:
            yield from self._code_problems()
        yield from super().file_problems()

    def _code_problems(self) -> Iterator[Problem]:
        if Path(self.file).suffix != ".py":
            yield "file", f"{self.file} is not a Python file; its name must end in .py"
            return
        try:
            tree = ast.parse(Path(self.file).read_bytes(), self.file)
        except SyntaxError as error:
            line = f", line {error.lineno}" if error.lineno else ""
            yield "file", f"{self.file}{line}: {error.msg}; correct it"
            return
        except ValueError as error:
            yield "file", f"{self.file}: {error}; correct it"
            return
        names = _defined(tree.body)
        # What a star import defines is known only when it runs.
        if self.function not in names and "*" not in names:
            functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
            yield (
                "function",
                f"{self.file} defines no {self.function!r}; {hint(self.function, functions, 'functions:')}",
            )
        if any(isinstance(node, ast.AsyncFunctionDef) and node.name == self.function for node in tree.body):
            yield "function", f"{self.function!r} of {self.file} is asynchronous; write it with def alone"


def _defined(body: list[ast.stmt]) -> set[str]:
    """Names that the statements of a module define, including in branches and blocks."""
    names: set[str] = set()
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Import() | ast.ImportFrom():
                names.update(alias.asname or alias.name for alias in node.names)
            case _:
                names.update(
                    part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
                )
                for block in blocks(node):
                    names |= _defined(block)
    return names

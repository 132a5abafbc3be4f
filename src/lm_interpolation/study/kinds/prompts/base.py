"""What every source of prompts declares."""

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from lm_interpolation.study.kinds.base import Count, Declaration, Maybe, NonNegativeInt, TooLong
from lm_interpolation.study.kinds.corpora.base import Encoding


class Prompts(Declaration):
    """A set of prompts to generate texts from."""

    SCRIPT: ClassVar[str]
    """The script that reads them, below workflow/scripts."""

    source: str = Field(description="The kind of data that the prompts are read from.")
    sample: Maybe[Count] = Field(default=None, description="Take a random subset of this many prompts.")
    too_long: TooLong = Field(
        default="error",
        description=(
            "What happens to prompts that leave no room for max_new_tokens: error, cut (their beginning) or drop."
        ),
    )
    seed: NonNegativeInt = Field(default=0, description="Seed of the subset.")
    samples: Maybe[Count] = Field(
        default=None,
        description="Continuations of each of its prompts; by default generation.samples. They are the first ones.",
    )

    def checked_files(self, key: str) -> Iterator[tuple[str, str]]:
        """(key path, path) of the files with the prompts; ``key`` is the key path of the set."""
        yield from ()

    def input_files(self) -> list[str]:
        """Files with the prompts."""
        return [path for _, path in self.checked_files("")]

    def settings(self) -> dict[str, Any]:
        """``prompts``: its keys in the study, as far as they say which prompts the set has."""
        return {"prompts": {key: value for key, value in self.plain().items() if key not in ("source", "samples")}}


class FileOfPrompts(Prompts):
    """Prompts in a file."""

    path: str = Field(description="The file.")
    encoding: Maybe[Encoding] = Field(
        default=None, description="Encoding of the file under its Python name; by default utf-8."
    )

    def checked_files(self, key: str) -> Iterator[tuple[str, str]]:
        yield f"{key}.path", self.path

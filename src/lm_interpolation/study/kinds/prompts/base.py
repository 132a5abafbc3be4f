"""What every source of prompts says of itself."""

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from lm_interpolation.study.kinds.base import Count, Declaration, Maybe, NonNegativeInt, TooLong
from lm_interpolation.study.kinds.corpora.base import Encoding


class Prompts(Declaration):
    """A set of prompts that texts are generated from."""

    SCRIPT: ClassVar[str]
    """The script that reads them, below workflow/scripts."""

    source: str = Field(description="What the prompts are read from.")
    sample: Maybe[Count] = Field(default=None, description="Take a random subset of this many prompts.")
    too_long: TooLong = Field(
        default="error",
        description=(
            "Prompts that leave no room for max_new_tokens: an error, or their beginning is cut, or they are dropped."
        ),
    )
    seed: NonNegativeInt = Field(default=0, description="Seed of the subset.")

    def checked_files(self, key: str) -> Iterator[tuple[str, str]]:
        """(key path, path) of the files that they are read from; ``key`` is the key path of the set."""
        yield from ()

    def input_files(self) -> list[str]:
        """Files that they are read from."""
        return [path for _, path in self.checked_files("")]

    def settings(self) -> dict[str, Any]:
        """``prompts``: the keys of the study."""
        return {"prompts": {key: value for key, value in self.plain().items() if key != "source"}}


class FileOfPrompts(Prompts):
    """Prompts in a file."""

    path: str = Field(description="The file.")
    encoding: Maybe[Encoding] = Field(
        default=None, description="Encoding of the file, as Python calls it; by default utf-8."
    )

    def checked_files(self, key: str) -> Iterator[tuple[str, str]]:
        yield f"{key}.path", self.path

"""What every source of a corpus says of itself, and the keys that sources share."""

from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import MinLen
from pydantic import Field, Tag

from lm_interpolation.study.kinds.base import (
    Cell,
    Count,
    Declaration,
    Either,
    Files,
    Fraction,
    Maybe,
    Name,
    NonNegativeInt,
    Scalar,
)

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Corpus(Declaration):
    """Labelled or unlabelled texts, split into train, dev and test."""

    def class_names(self, config: "StudyConfig") -> list[str]:
        """Names of its classes, sorted; empty if it is unlabelled."""
        raise NotImplementedError

    def is_stream(self) -> bool:
        """Whether its training texts are not stored, but read while a model trains."""
        return False


class Limit(Declaration):
    """Random subsets."""

    train: Maybe[Count] = Field(default=None, description="Number of training texts.")
    dev: Maybe[Count] = Field(default=None, description="Number of development texts, used to watch and select.")
    test: Maybe[Count] = Field(default=None, description="Number of test texts, used to report.")


class Fractions(Declaration):
    """Shares of train that become other splits."""

    dev: Maybe[Fraction] = Field(default=None, description="Share of the development split.")
    test: Maybe[Fraction] = Field(default=None, description="Share of the test split.")


Classes = Annotated[dict[Name, Annotated[list[Scalar], MinLen(1)]], MinLen(1)]


class Source(Corpus):
    """A corpus that is read from a source. Its script reads the texts, shared steps make the splits."""

    source: str = Field(description="What the corpus is read from.")
    classes: Maybe[Classes] = Field(
        default=None,
        description=(
            "Class name to the raw labels that belong to it. A raw label in no class is an error, unless its rows are "
            "dropped. For sst the default is negative [0, 1], neutral [2], positive [3, 4]."
        ),
    )
    drop: Maybe[dict[str, Annotated[list[Cell], MinLen(1)]]] = Field(
        default=None,
        description=(
            "Column name to values; rows that have one of the values there are left out. A value that no row has is an "
            "error."
        ),
    )
    replace: Maybe[dict[str, str]] = Field(default=None, description="Literal replacements made in every text.")
    max_words: Maybe[Count] = Field(
        default=None, description="Split each text at sentence ends into pieces of at most this many words."
    )
    fractions: Maybe[Fractions] = Field(
        default=None, description="Share of train that becomes a split without files of its own."
    )
    limit: Maybe[Limit] = Field(default=None, description="Take a random subset of this many texts of a split.")
    seed: NonNegativeInt = Field(default=0, description="Seed of the split, the subset and the synthetic generator.")

    def input_files(self) -> list[str]:
        """Files that the job that reads it depends on, of many documents the newest; none if it lies on the hub."""
        raise NotImplementedError

    def digest(self) -> str | None:
        """What tells, besides these files, that the source has changed; None if they tell all."""
        return None

    def settings(self) -> dict[str, Any]:
        """What the job that reads it is set by: exactly the arguments of the function that its script calls."""
        raise NotImplementedError


class SplitFiles(Declaration):
    """Files of each split."""

    train: Files = Field(description="Files with training texts.")
    dev: Maybe[Files] = Field(
        default=None, description="Files with development texts; without them a fraction of train is taken."
    )
    test: Maybe[Files] = Field(
        default=None, description="Files with test texts; without them a fraction of train is taken."
    )


class ClassFiles(Declaration):
    """Files of each split with texts of one class."""

    train: Files = Field(description="Files with training texts of the class.")
    dev: Maybe[Files] = Field(
        default=None, description="Files with its development texts; without them a fraction of train is taken."
    )
    test: Maybe[Files] = Field(
        default=None, description="Files with its test texts; without them a fraction of train is taken."
    )


FilesOfClass = Annotated[
    str | list[str] | ClassFiles,
    Either(
        [
            Annotated[str, Tag("a string")],
            Annotated[list[str], MinLen(1), Tag("a list")],
            Annotated[ClassFiles, Tag("a mapping")],
        ]
    ),
]
"""One path or a list of paths, or those of each split."""
FilesOfClasses = Annotated[dict[Name, FilesOfClass], MinLen(1)]

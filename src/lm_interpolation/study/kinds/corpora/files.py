"""Keys and checks shared by sources of declared files."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Len, MinLen
from pydantic import Field, Tag

from lm_interpolation.data.corpus_paths import declared_paths
from lm_interpolation.study.kinds.base import Declaration, Either, Files, Maybe, Name, Problem
from lm_interpolation.study.kinds.corpora.base import ENCODING, Columns, Corpus, Encoding, Source

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


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


class FromFiles(Corpus):
    """A source of files that the study names one by one."""

    def own_splits(self) -> Collection[str]:
        """The splits that have files."""
        return declared_paths(self.plain()).keys()

    def checked_files(self, key: str) -> Iterator[tuple[str, str]]:
        for entries in declared_paths(self.plain()).values():
            for entry in entries:
                yield f"{key}.{entry.key}", entry.path

    def input_files(self) -> list[str]:
        return [path for _, path in self.checked_files("")]


class SeparatedValues(Columns):
    """Tables of separated values."""

    separator: Maybe[Annotated[str, Len(1, 1)]] = Field(default=None, description="The character between columns.")
    columns: Maybe[Annotated[list[str], MinLen(1)]] = Field(
        default=None, description="The names of the columns of a file without a header line."
    )
    quoting: Maybe[bool] = Field(
        default=None, description="Whether double quotes enclose fields; with false they are part of the text."
    )
    encoding: Maybe[Encoding] = Field(default=None, description=ENCODING)

    def column_problems(self) -> Iterator[Problem]:
        """Columns that the study needs but does not name, or names twice."""
        names = self.columns
        for column in self.needed_columns() if names is not None else ():
            assert names is not None
            if column not in names:
                yield "columns", f"no column {column!r}; it has {', '.join(names)}"
            elif (count := names.count(column)) > 1:
                yield "columns", f"{count} columns are called {column!r}; give them different names there"


class PlainText(Source):
    """Plain text; classes may have files of their own."""

    files: Maybe[SplitFiles] = Field(default=None, description="The files of each split (.gz files work, too).")
    class_files: Maybe[FilesOfClasses] = Field(
        default=None,
        description=(
            "Class name to the files with its texts, either for all splits (fractions become dev and test) or for "
            "each split."
        ),
    )
    encoding: Maybe[Encoding] = Field(default=None, description=ENCODING)

    def own_splits(self) -> Collection[str]:
        return declared_paths(self.plain()).keys()

    def label_column(self) -> str | None:
        return None if self.class_files is None else "label"

    def raw_classes(self) -> Mapping[str, Sequence[Any]]:
        return super().raw_classes() if self.class_files is None else {name: [name] for name in self.class_files}

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        problems = list(self.layout_problems())
        # Other mistakes may be consequences of these.
        yield from problems or super().check(config)

    def layout_problems(self) -> Iterator[Problem]:
        """Neither or both of files and files by class, or classes of different forms."""
        source = self.source
        if (self.files is None) == (self.class_files is None):
            yield "", (f"source {source} needs either files, or class_files, which name the classes; give one of them")
        if self.class_files is None:
            return
        if self.classes is not None:
            yield "classes", f"source {source} takes its classes from class_files; remove this key"
        splits = {
            name: tuple(files.plain()) if isinstance(files, ClassFiles) else ()
            for name, files in self.class_files.items()
        }
        first = next(iter(splits))
        for name, own in splits.items():
            if own != splits[first]:
                has, other = (
                    f"files of {', '.join(one)}" if one else "files without a split" for one in (own, splits[first])
                )
                yield f"class_files.{name}", f"has {has}, but {first} has {other}; give all classes the same"

"""The source archive."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.corpora.files import FilesOfClasses, PlainText, SplitFiles


class Archive(PlainText):
    """Text files in a zip or tar archive, one text per file."""

    SCRIPT: ClassVar[str] = "data/corpus_archive.py"
    LABELS: ClassVar[str] = "class_files"

    source: Literal["archive"] = Field(description="Text files in a zip or tar archive, one text per file.")
    path: str = Field(description="The archive (.zip, .tar, .tar.gz and the like); it is not unpacked.")
    files: Maybe[SplitFiles] = Field(
        default=None, description="Names in the archive for each split; * matches any text, including slashes."
    )
    class_files: Maybe[FilesOfClasses] = Field(
        default=None,
        description=(
            "Class name to names in the archive, either for all splits (fractions become dev and test) or for "
            "each split."
        ),
    )

    def checked_files(self, key: str) -> Iterator[tuple[str, str]]:
        yield f"{key}.path", self.path

    def input_files(self) -> list[str]:
        return [self.path]

"""The source documents."""

from typing import Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.corpora.base import FilesOfClasses, Source, SplitFiles


class Documents(Source):
    """Plain text with one text per file."""

    source: Literal["documents"] = Field(description="Plain text with one text per file.")
    files: Maybe[SplitFiles] = Field(default=None, description="Files, folders and globs of each split.")
    class_files: Maybe[FilesOfClasses] = Field(
        default=None,
        description=(
            "Class name to the files with its texts, of which fractions become dev and test, or to those of each split."
        ),
    )
    encoding: Maybe[str] = Field(
        default=None, description="Encoding of the text, as Python calls it; by default utf-8."
    )

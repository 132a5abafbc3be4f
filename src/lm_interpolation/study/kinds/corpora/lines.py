"""The source lines."""

from typing import Literal

from pydantic import Field

from lm_interpolation.study.kinds.base import Declaration, Files, Maybe
from lm_interpolation.study.kinds.corpora.base import FilesOfClasses, Source, SplitFiles


class LabelFiles(Declaration):
    """Files of labels of each split."""

    train: Files = Field(description="Files with labels of the training texts.")
    dev: Maybe[Files] = Field(default=None, description="Files with labels of the development texts.")
    test: Maybe[Files] = Field(default=None, description="Files with labels of the test texts.")


class Lines(Source):
    """Plain text with one text per line."""

    source: Literal["lines"] = Field(description="Plain text with one text per line.")
    files: Maybe[SplitFiles] = Field(default=None, description="The files of each split (.gz is read as well).")
    class_files: Maybe[FilesOfClasses] = Field(
        default=None,
        description=(
            "Class name to the files with its texts, of which fractions become dev and test, or to those of each split."
        ),
    )
    label_files: Maybe[LabelFiles] = Field(
        default=None, description="For each file of files one with as many lines, the labels of its texts."
    )
    leading_label: Maybe[bool] = Field(
        default=None,
        description=("Whether each line starts with a label, which ends at the first white space; by default not."),
    )
    encoding: Maybe[str] = Field(
        default=None, description="Encoding of the text, as Python calls it; by default utf-8."
    )

"""The source lines."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from lm_interpolation.data.corpus_paths import SPLITS, declared_paths
from lm_interpolation.study.kinds.base import Declaration, Files, Maybe, Problem
from lm_interpolation.study.kinds.corpora.files import PlainText


class LabelFiles(Declaration):
    """Files of labels of each split."""

    train: Files = Field(description="Files with labels of the training texts.")
    dev: Maybe[Files] = Field(default=None, description="Files with labels of the development texts.")
    test: Maybe[Files] = Field(default=None, description="Files with labels of the test texts.")


class Lines(PlainText):
    """Plain text with one text per line."""

    SCRIPT: ClassVar[str] = "data/corpus_lines.py"
    LABELS: ClassVar[str] = "label_files or leading_label"

    source: Literal["lines"] = Field(description="Plain text with one text per line.")
    label_files: Maybe[LabelFiles] = Field(
        default=None, description="For each of the files, a file with the labels of its texts, line by line."
    )
    leading_label: Maybe[bool] = Field(
        default=None,
        description=("Whether each line starts with a label that ends at the first white space; by default false."),
    )

    def label_column(self) -> str | None:
        return "label" if self.label_files is not None or self.leading_label else super().label_column()

    def checked_files(self, key: str) -> Iterator[tuple[str, str]]:
        for part in (None, "label_files"):
            for entries in declared_paths(self.plain(), part).values():
                for entry in entries:
                    yield f"{key}.{entry.key}", entry.path

    def input_files(self) -> list[str]:
        return [path for _, path in self.checked_files("")]

    def layout_problems(self) -> Iterator[Problem]:
        yield from super().layout_problems()
        if self.class_files is not None:
            for key, given in (("label_files", self.label_files), ("leading_label", self.leading_label)):
                if given:
                    yield key, f"source {self.source} takes its classes from class_files; remove this key"
        elif self.label_files is not None:
            if self.leading_label:
                yield "leading_label", "the labels are in label_files; remove one of the two"
            texts, labels = (declared_paths(self.plain(), key) for key in ("files", "label_files"))
            for split in SPLITS:
                counts = [len(part.get(split, [])) for part in (texts, labels)]
                if counts[0] != counts[1]:
                    words = (
                        f"{counts[1]} files of labels for {counts[0]} files of texts; give one for each, in the same"
                    )
                    yield f"label_files.{split}", f"{words} order"

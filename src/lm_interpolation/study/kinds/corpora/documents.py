"""The source documents."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.data.corpus_paths import all_documents, state_of
from lm_interpolation.study.kinds.base import Maybe
from lm_interpolation.study.kinds.corpora.files import PlainText, SplitFiles

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class Documents(PlainText):
    """Plain text with one text per file."""

    SCRIPT: ClassVar[str] = "data/corpus_documents.py"
    LABELS: ClassVar[str] = "class_files"

    source: Literal["documents"] = Field(description="Plain text with one text per file.")
    files: Maybe[SplitFiles] = Field(default=None, description="Files, folders and globs of each split.")

    def checked_files(self, key: str) -> Iterator[tuple[str, str]]:
        # Only the first of each folder and glob, since there may be many.
        found = [pair for files in all_documents(self.plain(), key).values() for pair in files]
        firsts = {entry.key + entry.path: (f"{key}.{entry.key}", file) for file, entry in reversed(found)}
        yield from firsts.values()

    def input_files(self) -> list[str]:
        return [state_of(all_documents(self.plain(), "corpora"))[0]]

    def settings(self, name: str, config: "StudyConfig") -> dict[str, Any]:
        # An added or renamed document may be older than the newest one.
        documents = all_documents(self.plain(), f"corpora.{name}")
        return {**super().settings(name, config), "documents": state_of(documents)[1]}

"""The expert words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.study.kinds.base import Number, Problem, Text
from lm_interpolation.study.kinds.experts.base import Expert

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class WordList(Expert):
    """A rule: words with weights."""

    MODULE: ClassVar[str] = "words"

    kind: Literal["words"] = Field(description="A rule: a text's log-probability grows with each word by its weight.")
    words: Annotated[dict[Text, Number], MinLen(1)] = Field(
        description="Word, taken with a space before it, to its weight in nats. Negative weights make words rarer."
    )

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        for word in self.words:
            if word != word.strip():
                yield "words", f"{word!r} has spaces around it; remove them"

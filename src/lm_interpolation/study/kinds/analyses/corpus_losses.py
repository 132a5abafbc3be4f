"""What analyses of the loss on texts of a corpus share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from lm_interpolation.pages.wording import number
from lm_interpolation.study.kinds.analyses.base import Analysis, HeldOut
from lm_interpolation.study.kinds.base import CorpusName, Count, Maybe, Name, Names, Problem, TooLong, undeclared

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study

_TOO_LONG = {
    "error": "",
    "cut": "; longer texts than the models read are cut",
    "drop": "; longer texts are dropped",
}


class CorpusLosses(Analysis):
    """NLL of real texts. A job of its own takes them from their corpus, see rule ``loss_texts``."""

    corpus: CorpusName = Field(description="Name of the corpus of the texts.")
    split: Literal["dev", "test"] = Field(default="test", description="Split of the corpus.")
    classes: Maybe[Names[Name]] = Field(
        default=None, description="Classes of texts, measured separately; by default all texts together."
    )
    limit: Maybe[Count] = Field(
        default=None, description="Number of texts of each class, taken from the beginning; by default all."
    )
    too_long: TooLong = Field(
        default="error",
        description=("What happens to texts beyond the models' context: error, cut (their end) or drop."),
    )

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        corpus = config.corpora[self.corpus]
        if corpus.is_stream() and self.split == "test":
            yield "split", f"the stream {self.corpus!r} has no test split; use dev"
        known = corpus.class_names(config)
        for name in self.classes or []:
            if name not in known:
                yield "classes", undeclared("class", name, known)

    def held_out(self, config: "StudyConfig") -> list[HeldOut]:
        return [HeldOut(corpus=self.corpus, split=self.split, classes=self.classes, limit=self.limit)]

    def texts_inputs(self, study: "Study") -> dict[str, Any]:
        """Inputs of the job that takes the texts from their corpus."""
        return {
            "corpus": study.path("corpora", self.corpus, f"{self.split}.parquet"),
            "tokenizers": [entry["tokenizer"] for entry in self._readers(study)],
        }

    def texts_settings(self, study: "Study") -> dict[str, Any]:
        """Settings of that job; readers are in the order of their tokenizers."""
        return {
            "classes": self.classes or [],
            "limit": self.limit,
            "too_long": self.too_long,
            "readers": self._readers(study),
        }

    def _readers(self, study: "Study") -> list[dict[str, Any]]:
        return study.models.readers([(model, 0) for model in self.measured_models(study)])

    def texts_words(self) -> tuple[str, str]:
        """What the texts are, and how they are taken, for captions."""
        apart = f"{' and '.join(self.classes)} texts apart" if self.classes else "all texts together"
        limit = f", the first {number(self.limit)} of each" if self.limit else ""
        return f"loss of the {self.split} split of corpus {self.corpus}", f"{apart}{limit}{_TOO_LONG[self.too_long]}"

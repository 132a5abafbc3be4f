"""The analysis loss."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.pages.wording import number
from lm_interpolation.study.kinds.analyses.base import Analysis, HeldOut, model_folders
from lm_interpolation.study.kinds.base import (
    CorpusName,
    Count,
    Maybe,
    Name,
    Names,
    Problem,
    Ref,
    TooLong,
    undeclared,
)
from lm_interpolation.study.kinds.tables import CLASS, COORDINATE, COORDINATES, HIGH, LOW, N_TEXTS, POINT, SWEEP, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study

_TOO_LONG = {
    "error": "",
    "cut": "; longer texts than the models read are cut",
    "drop": "; longer texts are dropped",
}


class Loss(Analysis):
    """NLL of real texts at all points of a sweep, merged in memory."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="Mean loss (NLL) of held-out text at one point, per text or per token.",
            columns={
                "sweep": SWEEP,
                COORDINATES: COORDINATE,
                "point": POINT,
                "class": CLASS,
                "statistic": "nll_text: nats per text; nll_token: nats per token",
                "estimate": "the value",
                "low": LOW,
                "high": HIGH,
                "n_texts": N_TEXTS,
                "n_tokens": "predicted tokens",
            },
        )
    }

    kind: Literal["loss"] = Field(description="NLL of real texts at all points of a sweep, merged in memory.")
    sweep: Annotated[Name, Ref("sweeps", space="weights")] = Field(description="Name of the sweep.")
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

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return [self.sweep]

    def held_out(self) -> HeldOut:
        return HeldOut(corpus=self.corpus, split=self.split, classes=self.classes, limit=self.limit)

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": model_folders(study, study.sweeps[self.sweep].models),
            "texts": study.path("losses", "texts", f"{name}.parquet"),
        }

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": list(study.sweeps[self.sweep].models), "sweep": study.points_settings(self.sweep)}

    def table_settings(self, study: "Study") -> dict[str, Any]:
        """Settings of the job that tabulates the losses."""
        return {"sweep": study.points_settings(self.sweep), "bootstrap": study.config["tables"]}

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
        return study.models.readers([(model, 0) for model in study.sweeps[self.sweep].models])

    def describe(self, name: str) -> str:
        texts = f"{' and '.join(self.classes)} texts apart" if self.classes else "all texts together"
        limit = f", the first {number(self.limit)} of each" if self.limit else ""
        along = f"loss of the {self.split} split of corpus {self.corpus} along {self.sweep}"
        return f"{name}: {along}, {texts}{limit}{_TOO_LONG[self.too_long]}"

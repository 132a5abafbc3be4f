"""The analysis model_loss."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import model_folders
from lm_interpolation.study.kinds.analyses.corpus_losses import CorpusLosses
from lm_interpolation.study.kinds.base import LanguageModel, Maybe, Names, Problem, SetName
from lm_interpolation.study.kinds.tables import CLASS, HIGH, LOW, N_TEXTS, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class ModelLoss(CorpusLosses):
    """NLL of real texts under named models."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="Mean loss (NLL) of held-out text under one model, per text or per token.",
            columns={
                "model": "name of the model",
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

    kind: Literal["model_loss"] = Field(description="NLL of real texts under named models.")
    models: Maybe[Names[LanguageModel]] = Field(default=None, description="Names of language models.")
    sets: Maybe[Names[SetName]] = Field(default=None, description="Names of sets, whose members are measured too.")

    def names(self, config: "StudyConfig") -> list[str]:
        """Names of the models, each once: its own, then those of its sets."""
        found = dict.fromkeys(self.models or [])
        for name in self.sets or []:
            found |= dict.fromkeys(config.members_of(name))
        return list(found)

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        if self.models is None and self.sets is None:
            yield "", "has neither models nor sets; name what to measure"
        for name in self.sets or []:
            for model in config.members_of(name):
                if config.models[model].task != "language-model":
                    yield "sets", f"{name!r} holds the classifier {model!r}; choose a set of language models"

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return []

    def measured_models(self, study: "Study") -> list[str]:
        return self.names(study.declared)

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": model_folders(study, self.names(study.declared)),
            "texts": study.path("losses", "texts", f"{name}.parquet"),
        }

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": self.names(study.declared)}

    def table_settings(self, study: "Study") -> dict[str, Any]:
        """Settings of the job that tabulates the losses."""
        return {"models": self.names(study.declared), "bootstrap": study.config["tables"]}

    def describe(self, name: str) -> str:
        models = [*(self.models or []), *(f"the set {one}" for one in self.sets or [])]
        measured, how = self.texts_words()
        return f"{name}: {measured} under {', '.join(models)}, {how}"

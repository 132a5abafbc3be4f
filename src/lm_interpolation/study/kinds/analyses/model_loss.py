"""The analysis model_loss."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import model_folders
from lm_interpolation.study.kinds.analyses.corpus_losses import CorpusLosses
from lm_interpolation.study.kinds.analyses.named_models import NamedModels
from lm_interpolation.study.kinds.tables import CLASS, HIGH, LOW, N_TEXTS, Table

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


class ModelLoss(NamedModels, CorpusLosses):
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
        measured, how = self.texts_words()
        return f"{name}: {measured} under {self.models_words()}, {how}"

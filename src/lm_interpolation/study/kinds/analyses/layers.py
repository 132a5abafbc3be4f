"""The analysis layers."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import model_folders
from lm_interpolation.study.kinds.analyses.corpus_losses import CorpusLosses
from lm_interpolation.study.kinds.base import LanguageModel, Problem
from lm_interpolation.study.kinds.tables import CLASS, HIGH, LOW, N_TEXTS, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Layers(CorpusLosses):
    """NLL of real texts with one layer or kind of tensors grafted onto a base, or reset, at a time."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="Mean loss (NLL) of held-out text with one group of tensors grafted onto the base, or reset to it.",
            columns={
                "group": "whole: all tensors; block; kind; cell: a kind in a block or outside all blocks",
                "layer": "number of the block; empty outside blocks",
                "kind": "embedding, attention, mlp, norm, head, other or all",
                "mode": "graft: the base with the group of the model; reset: the model with the group of the base",
                "class": CLASS,
                "statistic": "nll_text: nats per text; nll_token: nats per token",
                "estimate": "the value",
                "low": LOW,
                "high": HIGH,
                "share": "share of the gain of the model over the base that a graft keeps, or a reset loses",
                "share_low": "lower end of its 95 % interval; empty if there is no gain beyond chance",
                "share_high": "upper end of that interval",
                "n_texts": N_TEXTS,
                "n_tokens": "predicted tokens",
            },
        )
    }

    kind: Literal["layers"] = Field(
        description="NLL of real texts with one layer or kind of tensors grafted onto a base, or reset, at a time."
    )
    model: LanguageModel = Field(description="Name of the model.")
    base: LanguageModel = Field(description="Name of the model that it was fine-tuned from.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        if self.model == self.base:
            yield "base", f"is {self.base!r}, like model; name the model that it was fine-tuned from"

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return []

    def measured_models(self, study: "Study") -> list[str]:
        return [self.base, self.model]

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": model_folders(study, self.measured_models(study)),
            "texts": study.path("losses", "texts", f"{name}.parquet"),
        }

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {"base": self.base, "model": self.model, "bootstrap": study.config["tables"]}

    def describe(self, name: str) -> str:
        measured, how = self.texts_words()
        return f"{name}: {measured} with parts of {self.model} on {self.base}, or of {self.base} in {self.model}, {how}"

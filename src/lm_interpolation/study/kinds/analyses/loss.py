"""The analysis loss."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import model_folders
from lm_interpolation.study.kinds.analyses.corpus_losses import CorpusLosses
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.tables import CLASS, COORDINATE, COORDINATES, HIGH, LOW, N_TEXTS, POINT, SWEEP, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Loss(CorpusLosses):
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

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return [self.sweep]

    def measured_models(self, study: "Study") -> list[str]:
        return list(study.sweeps[self.sweep].models)

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": model_folders(study, study.sweeps[self.sweep].models),
            "texts": study.path("losses", "texts", f"{name}.parquet"),
            **study.sweep_files(self.sweep),
        }

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": list(study.sweeps[self.sweep].models), "sweep": study.points_settings(self.sweep)}

    def table_settings(self, study: "Study") -> dict[str, Any]:
        """Settings of the job that tabulates the losses."""
        return {"sweep": study.points_settings(self.sweep), "bootstrap": study.config["tables"]}

    def describe(self, name: str) -> str:
        measured, how = self.texts_words()
        return f"{name}: {measured} along {self.sweep}, {how}"

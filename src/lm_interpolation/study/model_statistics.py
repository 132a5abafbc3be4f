"""The statistics of models of a study: their files, and the inputs and settings of the jobs that take them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.statistics.base import Taken
    from lm_interpolation.study.study import Study


class ModelStatistics:
    """The statistics of models of a study, each by its name."""

    def __init__(self, study: "Study") -> None:
        self._study = study

    def names(self, kind: str) -> list[str]:
        """The statistics of a kind."""
        return [name for name, entry in self._study.declared.statistics.items() if entry.kind == kind]

    def models(self) -> list[str]:
        """The models that have statistics: those that can be merged."""
        models = self._study.declared.models
        return [name for name, model in models.items() if model.task == "language-model"]

    def inputs(self, statistic: str, model: str) -> dict[str, str]:
        """Inputs of the job that takes a statistic of a model."""
        taken = self._taken(statistic, model)
        path = self._study.path
        return {"model": path("models", model), "corpus": path("corpora", taken.corpus, f"{taken.split}.parquet")}

    def settings(self, statistic: str, model: str) -> dict[str, Any]:
        """Settings of that job."""
        taken = self._taken(statistic, model)
        return {"classes": taken.classes, "limit": taken.limit}

    def _taken(self, statistic: str, model: str) -> "Taken":
        taken = self._study.declared.statistics[statistic].taken(self._study.declared, model)
        assert taken is not None
        return taken

"""The searches of a study: their trials, and the inputs and settings of the jobs."""

from typing import TYPE_CHECKING, Any

from lm_interpolation.jobs.runtime import error_prefix
from lm_interpolation.models.searches import Trial, trials

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study

_VARIED = ("learning_rate", "batch_size", "steps")


class Searches:
    """The searches of a study. Raises ``UserError`` naming the grid that does not fit its training."""

    def __init__(self, study: "Study") -> None:
        self._study = study
        self.trials: dict[str, dict[str, Trial]] = {}
        """Search to its trials by their ids."""
        for name, spec in study.config["searches"].items():
            with error_prefix(f"config: searches.{name}.grid"):
                found = trials(spec["grid"], study.config["models"][spec["model"]]["training"]["schedule"])
            self.trials[name] = {trial.id: trial for trial in found}

    def trial_names(self) -> list[str]:
        """Ids of the trials of all searches, each once."""
        return list(dict.fromkeys(trial for found in self.trials.values() for trial in found))

    def trial_settings(self, search: str, trial: str) -> dict[str, Any]:
        """Settings of a trial: the training of the search's model with the trial's values, and when to evaluate it."""
        found = self.trials[search][trial]
        model = self._study.models.settings(self._study.config["searches"][search]["model"])
        values = {key: getattr(found, key) for key in _VARIED}
        return {"model": {**model, "training": model["training"] | values}, "checkpoints": list(found.checkpoints)}

    def trial_metrics(self, search: str) -> list[str]:
        """Results of the trials of a search."""
        return [self._study.path("searches", search, trial, "metrics.json") for trial in self.trials[search]]

    def settings(self, search: str) -> dict[str, Any]:
        """Settings of the table of a search."""
        model = self._study.config["searches"][search]["model"]
        return {
            "search": search,
            "trials": [
                {**{key: getattr(trial, key) for key in _VARIED}, "checkpoints": list(trial.checkpoints)}
                for trial in self.trials[search].values()
            ],
            "configured": {key: self._study.config["models"][model]["training"][key] for key in _VARIED},
        }

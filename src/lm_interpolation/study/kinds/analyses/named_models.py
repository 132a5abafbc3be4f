"""What analyses of named models have in common."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.base import LanguageModel, Maybe, Names, Problem, SetName

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class NamedModels(Analysis):
    """An analysis of models that are named one by one or by their sets."""

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
                if (task := config.models[model].task) != "language-model":
                    yield "sets", f"{name!r} holds the {task} {model!r}; choose a set of language models"

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return []

    def models_words(self) -> str:
        """The models, for captions."""
        return ", ".join([*(self.models or []), *(f"the set {one}" for one in self.sets or [])])

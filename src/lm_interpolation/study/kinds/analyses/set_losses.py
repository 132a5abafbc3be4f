"""What analyses have in common that measure losses on the texts that sets of models learnt from."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from lm_interpolation.pages.wording import number
from lm_interpolation.study.kinds.analyses.base import HeldOut
from lm_interpolation.study.kinds.analyses.labelled_sets import LabelledSet, LabelledSets
from lm_interpolation.study.kinds.base import TASKS, Count, Maybe, Name, NonNegativeInt, Problem, TooLong
from lm_interpolation.study.kinds.sets import Learnt

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study

GENERAL = "general"
"""The group of all models."""


class SetLosses(LabelledSets):
    """Losses of points between the models of several data sets. A job of its own takes the texts, see ``set_texts``."""

    by: Maybe[Name] = Field(default=None, description="Label of the sets that says which of them are one group.")
    loss: Literal["nll", "probe"] = Field(
        default="nll",
        description="nll: mean NLL per token of a language model. probe: cross-entropy of a linear probe on the body.",
    )
    limit: Maybe[Count] = Field(
        default=None, description="Number of test texts of each data set, from the beginning; by default all."
    )
    train_limit: Maybe[Count] = Field(
        default=None, description="Number of training texts of each probe, from the beginning; by default all."
    )
    too_long: TooLong = Field(
        default="error", description="What happens to texts beyond the models' context: error, cut (their end) or drop."
    )
    seed: NonNegativeInt = Field(default=0, description="Seed of what is drawn.")

    def compared_labels(self) -> list[str]:
        return [] if self.by is None else [self.by]

    def data_sets(self, config: "StudyConfig") -> list[tuple[LabelledSet, Learnt]]:
        """Its sets, each with what it learnt."""
        return [(one, one.learnt) for one in self.labelled_sets(config) if one.learnt is not None]

    def group_of(self, one: LabelledSet) -> str:
        """The group of a set."""
        return GENERAL if self.by is None else one.labels[self.by]

    def moved_models(self, config: "StudyConfig") -> list[str]:
        """Names of all models that its job holds in memory."""
        return self.models(config)

    def measured_models(self, study: "Study") -> list[str]:
        return self.moved_models(study.declared)

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        for one in self.labelled_sets(config):
            if one.learnt is None:
                yield "sets", f"{one.name!r} has no corpus; say what its models learnt from, in sets.{one.name}.corpus"
            elif config.corpora[one.learnt.corpus].is_stream():
                yield "sets", f"set {one.name!r} learnt from the stream {one.learnt.corpus!r}, which has no test split"
            elif self.loss == "probe":
                yield from _probe_problems(config, one.name, one.learnt)
        if self.loss == "nll":
            for model in self.moved_models(config):
                if (task := config.models[model].task) != "language-model":
                    whose = "whose loss is that of its own head" if task == "classifier" else "which has no head"
                    yield "loss", f"{model!r} is {TASKS[task]}, {whose}; set loss: probe"
            if self.train_limit is not None:
                yield "train_limit", "is the number of texts that a probe learns from; set loss: probe or remove it"
        elif self.too_long != "error":
            yield "too_long", "is for loss: nll; a probe cuts texts where its model cannot read further. Remove it"

    def held_out(self, config: "StudyConfig") -> list[HeldOut]:
        found: list[HeldOut] = []
        for _, learnt in self.data_sets(config):
            texts = HeldOut(learnt.corpus, "test", None if learnt.class_ is None else [learnt.class_], self.limit)
            if texts not in found:
                found.append(texts)
        return found

    def texts_inputs(self, study: "Study") -> dict[str, Any]:
        """Inputs of the job that takes the texts from their corpora."""
        return {
            "corpora": [
                study.path("corpora", learnt.corpus, f"{split}.parquet")
                for _, learnt in self.data_sets(study.declared)
                for split, _ in self._splits()
            ],
            "tokenizers": [entry["tokenizer"] for entry in self._readers(study)],
        }

    def texts_settings(self, study: "Study") -> dict[str, Any]:
        """Settings of that job: splits of each set are in the order of the corpora, readers in that of tokenizers."""
        return {
            "sets": [{"name": one.name, "class": learnt.class_} for one, learnt in self.data_sets(study.declared)],
            "splits": self._splits(),
            "labelled": self.loss == "probe",
            "too_long": self.too_long,
            "readers": self._readers(study),
        }

    def _splits(self) -> list[list[Any]]:
        """Pairs of a split and the number of its texts, None for all."""
        train = [["train", self.train_limit]] if self.loss == "probe" else []
        return [*train, ["test", self.limit]]

    def _readers(self, study: "Study") -> list[dict[str, Any]]:
        # A probe cuts what its model cannot read, as classifiers do.
        if self.loss == "probe":
            return []
        return study.models.readers([(model, 0) for model in self.measured_models(study)])

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {
            "models": [study.path("models", model) for model in self.moved_models(study.declared)],
            "texts": study.path("losses", "texts", f"{name}.parquet"),
        }

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        found = self.labelled_sets(study.declared)
        return {
            "sets": [{"name": one.name, "group": self.group_of(one), "models": one.models} for one in found],
            "loss": self.loss,
            "seed": self.seed,
            "bootstrap": study.config["tables"],
        }

    def loss_words(self) -> str:
        """The loss, for captions."""
        kept = f"the first {number(self.limit)} test texts" if self.limit else "the test texts"
        if self.loss == "nll":
            return f"mean NLL per token of {kept} of each data set"
        learnt = f"the first {number(self.train_limit)} training texts" if self.train_limit else "the training texts"
        return (
            f"cross-entropy on {kept} of each data set of a logistic regression (L2, C = 1) fitted on {learnt}, "
            "on the mean of the last hidden states"
        )


def _probe_problems(config: "StudyConfig", name: str, learnt: Learnt) -> Iterator[Problem]:
    if learnt.class_ is not None:
        yield "loss", f"set {name!r} learnt one class of {learnt.corpus!r}, but a probe tells classes apart; set nll"
    elif len(config.corpora[learnt.corpus].class_names(config)) < 2:
        yield "loss", f"corpus {learnt.corpus!r} of set {name!r} has no classes for a probe; set loss: nll"

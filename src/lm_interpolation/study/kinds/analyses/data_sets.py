"""What analyses have in common that compare the models of several data sets, each with the texts it learnt from."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from lm_interpolation.pages.wording import number
from lm_interpolation.study.kinds.analyses.base import Analysis, HeldOut
from lm_interpolation.study.kinds.base import Count, Maybe, Name, Names, NonNegativeInt, Problem, SetName, TooLong

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study

GENERAL = "general"
"""The group of all models."""


class DataSet(NamedTuple):
    """A set of models that learnt from the same texts."""

    name: str
    models: list[str]
    corpus: str
    class_name: str | None
    labels: Mapping[str, str]


def data_sets(config: "StudyConfig", names: list[str]) -> list[DataSet]:
    """The sets with a corpus among ``names``, or within them, each once. Labels of a set are those of sets in it, too.

    A set without a corpus of its own stands for the sets in it.
    """
    found: dict[str, DataSet] = {}

    def visit(name: str, around: Mapping[str, str]) -> None:
        entry = config.sets[name]
        labels = {**around, **entry.labels}
        if entry.corpus is not None:
            one = DataSet(name, config.members_of(name), entry.corpus.corpus, entry.corpus.class_, labels)
            found.setdefault(name, one)
            return
        for other in entry.sets or []:
            visit(other, labels)

    for name in names:
        visit(name, {})
    return list(found.values())


class SetLosses(Analysis):
    """Losses of points between the models of several data sets. A job of its own takes the texts, see ``set_texts``."""

    sets: Names[SetName] = Field(
        description="Names of sets with a corpus, each a data set; a set without one stands for the sets in it."
    )
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

    def data_sets(self, config: "StudyConfig") -> list[DataSet]:
        """Its data sets."""
        return data_sets(config, self.sets)

    def group_of(self, one: DataSet) -> str:
        """The group of a data set."""
        return GENERAL if self.by is None else one.labels[self.by]

    def models(self, config: "StudyConfig") -> list[str]:
        """Names of the models of all data sets."""
        return [model for one in self.data_sets(config) for model in one.models]

    def moved_models(self, config: "StudyConfig") -> list[str]:
        """Names of all models that its job holds in memory."""
        return self.models(config)

    def measured_models(self, study: "Study") -> list[str]:
        return self.moved_models(study.declared)

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        found = self.data_sets(config)
        names = {one.name for one in found}
        for name in self.sets:
            if not names & set(_within(config, name)):
                yield "sets", f"{name!r} has no corpus; say what its models learnt from, in sets.{name}.corpus"
            for other in _within(config, name):
                if config.sets[other].corpus is None and config.sets[other].models:
                    yield (
                        "sets",
                        f"{other!r} has models but no corpus; say what they learnt from, in sets.{other}.corpus",
                    )
        home: dict[str, str] = {}
        for one in found:
            for model in one.models:
                if model in home:
                    yield "sets", f"model {model!r} is in {home[model]!r} and in {one.name!r}; take it out of one"
                home[model] = one.name
            if self.by is not None and self.by not in one.labels:
                yield "by", f"set {one.name!r} has no label {self.by!r}; give it one in sets.{one.name}.labels"
            if config.corpora[one.corpus].is_stream():
                yield "sets", f"set {one.name!r} learnt from the stream {one.corpus!r}, which has no test split"
            if self.loss == "probe":
                yield from _probe_problems(config, one)
        if self.loss == "nll":
            for model in self.moved_models(config):
                if config.models[model].task != "language-model":
                    yield "loss", f"{model!r} is a classifier, whose loss is that of its own head; set loss: probe"
            if self.train_limit is not None:
                yield "train_limit", "is the number of texts that a probe learns from; set loss: probe or remove it"
        elif self.too_long != "error":
            yield "too_long", "is for loss: nll; a probe cuts texts where its model cannot read further. Remove it"

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return []

    def held_out(self, config: "StudyConfig") -> list[HeldOut]:
        found: list[HeldOut] = []
        for one in self.data_sets(config):
            texts = HeldOut(one.corpus, "test", None if one.class_name is None else [one.class_name], self.limit)
            if texts not in found:
                found.append(texts)
        return found

    def texts_inputs(self, study: "Study") -> dict[str, Any]:
        """Inputs of the job that takes the texts from their corpora."""
        return {
            "corpora": [
                study.path("corpora", one.corpus, f"{split}.parquet")
                for one in self.data_sets(study.declared)
                for split, _ in self._splits()
            ],
            "tokenizers": [entry["tokenizer"] for entry in self._readers(study)],
        }

    def texts_settings(self, study: "Study") -> dict[str, Any]:
        """Settings of that job: splits of each set are in the order of the corpora, readers in that of tokenizers."""
        return {
            "sets": [{"name": one.name, "class": one.class_name} for one in self.data_sets(study.declared)],
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
        found = self.data_sets(study.declared)
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


def _within(config: "StudyConfig", name: str) -> list[str]:
    """A set and those that it stands for."""
    entry = config.sets[name]
    inner = [] if entry.corpus is not None else entry.sets or []
    return [name, *(found for other in inner for found in _within(config, other))]


def _probe_problems(config: "StudyConfig", one: DataSet) -> Iterator[Problem]:
    if one.class_name is not None:
        yield (
            "loss",
            f"set {one.name!r} learnt one class of {one.corpus!r}, but a probe tells classes apart; set nll",
        )
    elif len(config.corpora[one.corpus].class_names(config)) < 2:
        yield "loss", f"corpus {one.corpus!r} of set {one.name!r} has no classes for a probe; set loss: nll"

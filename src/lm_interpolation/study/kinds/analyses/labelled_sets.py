"""What analyses have in common that compare sets of models by their labels."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis
from lm_interpolation.study.kinds.base import Names, Problem, SetName
from lm_interpolation.study.kinds.sets import Learnt

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class LabelledSet(NamedTuple):
    """A set of models with its labels, those of sets around it included, and what its models learnt, if it says so."""

    name: str
    models: list[str]
    labels: Mapping[str, str]
    learnt: Learnt | None


def labelled_sets(config: "StudyConfig", names: list[str]) -> list[LabelledSet]:
    """The sets that ``names`` stand for, each once; one that is reached twice has the labels of the first way.

    A set with a corpus is one data set, with all of its members. One without stands for its own models, and for the
    sets in it, which have its labels, too, unless they say otherwise.
    """
    found: dict[str, LabelledSet] = {}
    for one in _reached(config, names):
        found.setdefault(one.name, one)
    return list(found.values())


def _reached(config: "StudyConfig", names: list[str]) -> Iterator[LabelledSet]:
    def visit(name: str, around: Mapping[str, str]) -> Iterator[LabelledSet]:
        entry = config.sets[name]
        labels = {**around, **entry.labels}
        if entry.corpus is not None:
            yield LabelledSet(name, config.members_of(name), labels, entry.corpus)
            return
        if entry.models is not None:
            yield LabelledSet(name, list(entry.models), labels, None)
        for other in entry.sets or []:
            yield from visit(other, labels)

    for name in names:
        yield from visit(name, {})


class LabelledSets(Analysis):
    """An analysis of the models of several sets, no two of which hold the same model."""

    sets: Names[SetName] = Field(
        description=(
            "Names of sets. One with a corpus is one data set; one without stands for its own models and for the sets "
            "in it, which have its labels, too."
        )
    )

    def compared_labels(self) -> list[str]:
        """Labels that all of its sets need."""
        raise NotImplementedError

    def labelled_sets(self, config: "StudyConfig") -> list[LabelledSet]:
        """The sets that its own stand for."""
        return labelled_sets(config, self.sets)

    def models(self, config: "StudyConfig") -> list[str]:
        """Names of the models, set by set."""
        return [model for one in self.labelled_sets(config) for model in one.models]

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return []

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        found = {one.name: one for one in self.labelled_sets(config)}
        home: dict[str, str] = {}
        for one in found.values():
            for model in one.models:
                if model in home:
                    yield "sets", f"model {model!r} is in {home[model]!r} and in {one.name!r}; take it out of one"
                home[model] = one.name
            for label in self.compared_labels():
                if label not in one.labels:
                    yield "by", f"set {one.name!r} has no label {label!r}; add it at sets.{one.name}.labels"
        for again in _reached(config, self.sets):
            for label in self.compared_labels():
                values = found[again.name].labels.get(label), again.labels.get(label)
                if None not in values and values[0] != values[1]:
                    yield (
                        "sets",
                        f"set {again.name!r} has two values of {label!r}, {values[0]!r} and {values[1]!r}, from sets "
                        f"around it; add its own at sets.{again.name}.labels",
                    )

    def check_base(self, config: "StudyConfig", base: str) -> Iterator[Problem]:
        """The base that models were fine-tuned from is none of them."""
        for one in self.labelled_sets(config):
            if base in one.models:
                yield "base", f"{base!r} is in set {one.name!r}; its displacement is 0, take it out"

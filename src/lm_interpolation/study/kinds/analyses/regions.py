"""The analysis regions."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis, model_folders
from lm_interpolation.study.kinds.base import Name, Names, Problem, Ref, SetName
from lm_interpolation.study.kinds.tables import HIGH, LOW, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study

LEAST = 4
"""Models: the map of fewer would say nothing."""

LABEL = "name of the label, such as data or task"


class Regions(Analysis):
    """Similarity of fine-tuned models in weight space, their clusters beside known labels, and a map."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="A pair of models.",
            columns={
                "model": "model",
                "other": "the other model",
                "same": "labels that both have in common, separated by spaces; empty if there are none",
                "cosine": "cosine of their displacements from the base",
                "weights": "cosine of their weights",
                "distance": "Euclidean distance of their weights",
            },
        ),
        "_clusters": Table(
            row="Spectral clusters by one measure of similarity, matched one to one with the values of one label.",
            columns={
                "label": LABEL,
                "measure": "cosine: of displacements; weights: cosine of weights; distance: Euclidean, of weights",
                "clusters": "number of clusters: that of the values of the label",
                "models": "number of models",
                "accuracy": "share of models whose label is the one that their cluster is matched with",
                "low": LOW,
                "high": HIGH,
                "effective": "number of independent models that the interval rests on",
                "f1": "mean F1 of the values of the label, under that matching",
                "ari": "adjusted Rand index",
                "p": "probability of this accuracy or a higher one if labels are dealt at random",
                "permutations": "permutations of the labels behind p",
                "tensors": "number of tensors that were compared",
                "left_out": "tensors that not all models have in one shape, separated by spaces; they are not compared",
            },
        ),
        "_places": Table(
            row="A model, once for each label.",
            columns={
                "model": "model",
                "label": LABEL,
                "value": "its value",
                "cluster": "value that the model's cluster, by the cosine of displacements, is matched with",
                "x": "place on the map, in arbitrary units; the same for all labels",
                "y": "the other coordinate",
            },
        ),
    }

    kind: Literal["regions"] = Field(
        description="Similarity of fine-tuned models in weight space, their clusters beside known labels, and a map."
    )
    base: Annotated[Name, Ref("models")] = Field(description="Name of the model that they were fine-tuned from.")
    sets: Names[SetName] = Field(description="Names of sets. A model has the labels of its set.")
    by: Names[Name] = Field(description="Labels of the sets that clusters are compared with.")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return []

    def names(self, config: "StudyConfig") -> list[str]:
        """Names of the models, set by set."""
        return [model for name in self.sets for model in config.members_of(name)]

    def labels(self, config: "StudyConfig") -> dict[str, list[str]]:
        """Label to its value for each of the models."""
        sets = [(config.sets[name], len(config.members_of(name))) for name in self.sets]
        return {label: [one.labels[label] for one, size in sets for _ in range(size)] for label in self.by}

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        owners: dict[str, str] = {}
        for name in self.sets:
            for label in self.by:
                if label not in config.sets[name].labels:
                    yield "by", f"set {name!r} has no label {label!r}; add it at sets.{name}.labels"
            for model in config.members_of(name):
                if model in owners:
                    yield "sets", f"{owners[model]!r} and {name!r} both hold {model!r}; name sets without common models"
                owners[model] = name
        if self.base in owners:
            yield "base", f"{self.base!r} is in set {owners[self.base]!r}; its displacement is 0, take it out"
        if len(owners) < LEAST:
            yield "sets", f"holds {len(owners)} models; clusters need at least {LEAST}"
        for label in self.by:
            values = {one.labels.get(label) for one in (config.sets[name] for name in self.sets)}
            if None in values:
                continue
            if len(values) == 1:
                yield "by", f"all sets have one {label}; take {label!r} out, or name other sets"
            elif len(values) >= len(owners):
                yield "by", f"no two models have the same {label}; take {label!r} out, or name larger sets"

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": model_folders(study, [*self.names(study.declared), self.base])}

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        config = study.declared
        return {"models": self.names(config), "base": self.base, "labels": self.labels(config)}

    def describe(self, name: str) -> str:
        return (
            f"{name}: similarity of the models of {', '.join(self.sets)} by their displacements from {self.base}. "
            "Clusters: spectral, as many as the label has values; affinities (1 + cosine) / 2, and exp(−d² / median²) "
            "of distances d, our reading; intervals over models, from draws of four fifths of them. Map: t-SNE of "
            "1 − cosine, perplexity min(30, (models − 1) / 3), seed 0"
        )

"""The analysis regions."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import model_folders
from lm_interpolation.study.kinds.analyses.labelled_sets import LabelledSets
from lm_interpolation.study.kinds.base import Name, Names, Problem, Ref
from lm_interpolation.study.kinds.tables import HIGH, LOW, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study

LEAST = 4
"""Models: the map of fewer would say nothing."""

LABEL = "name of the label, such as data or task"


class Regions(LabelledSets):
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
    by: Names[Name] = Field(description="Labels of the sets that clusters are compared with.")

    def compared_labels(self) -> list[str]:
        return list(self.by)

    def labels(self, config: "StudyConfig") -> dict[str, list[str]]:
        """Label to its value for each of the models."""
        sets = self.labelled_sets(config)
        return {label: [one.labels[label] for one in sets for _ in one.models] for label in self.by}

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        yield from self.check_base(config, self.base)
        found, count = self.labelled_sets(config), len(set(self.models(config)))
        if count < LEAST:
            yield "sets", f"hold {count} models; clusters need at least {LEAST}"
        for label in self.by:
            values = {one.labels.get(label) for one in found}
            if None in values:
                continue
            if len(values) == 1:
                yield "by", f"all sets have one {label}; take {label!r} out, or name other sets"
            elif len(values) >= count:
                yield "by", f"no two models have the same {label}; take {label!r} out, or name larger sets"

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": model_folders(study, [*self.models(study.declared), self.base])}

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        config = study.declared
        return {"models": self.models(config), "base": self.base, "labels": self.labels(config)}

    def describe(self, name: str) -> str:
        return (
            f"{name}: similarity of the models of {', '.join(self.sets)} by their displacements from {self.base}. "
            "Clusters: spectral, as many as the label has values; affinities (1 + cosine) / 2, and exp(−d² / median²) "
            "of distances d, our reading; intervals over models, from draws of four fifths of them. Map: t-SNE of "
            "1 − cosine, perplexity min(30, (models − 1) / 3), seed 0"
        )

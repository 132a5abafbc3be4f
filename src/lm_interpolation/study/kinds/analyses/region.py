"""The analysis region."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.set_losses import SetLosses
from lm_interpolation.study.kinds.base import Name, Problem, Ref
from lm_interpolation.study.kinds.tables import HIGH, LOW, N_TEXTS, Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study

_KINDS = (
    "base; in: a model of the group, not of the data set where the group has several; in': a random point of their "
    "convex hull; ex: a model of another group, or the base plus a random direction"
)


class Region(SetLosses):
    """Losses of models of a group, of points of their convex hull, and of points outside."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(
            row="Loss of one point on one data set.",
            columns={
                "group": "value of the label, or general: all models",
                "data": "name of the set whose test texts are measured",
                "kind": _KINDS,
                "point": "name of the model, or kind and number of the drawn point",
                "models": "number of models that the point combines",
                "loss": "nats per token, or per text under a probe; inf where a model overflows",
                "n_texts": N_TEXTS,
            },
        ),
        "_pb": Table(
            row="How two kinds of points compare: the probability that a random one has a lower loss than the other.",
            columns={
                "group": "value of the label, or all groups: the mean over them",
                "pair": "the two kinds",
                "pb": "P(lower) + P(equal) / 2, mean over the data sets of the group",
                "low": LOW,
                "high": HIGH,
                "models": "models in the groups, which the interval rests on",
                "first": "points of the first kind",
                "second": "points of the second kind",
            },
        ),
    }

    kind: Literal["region"] = Field(
        description="Losses of models of a group, of points of their convex hull, and of points outside."
    )
    base: Annotated[Name, Ref("models")] = Field(description="Name of the model that they were fine-tuned from.")

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        yield from self.check_base(config, self.base)
        found = self.labelled_sets(config)
        if self.by is not None and any(self.by not in one.labels for one in found):
            return
        groups: dict[str, list[list[str]]] = {}
        for one in found:
            groups.setdefault(self.group_of(one), []).append(one.models)
        if self.by is not None and len(groups) == 1:
            yield "by", f"all sets have one value of {self.by!r}, so no model is outside; take by out or add other sets"
        for group, members in groups.items():
            count = sum(map(len, members))
            # With several data sets the models of one are left out.
            if min(count - len(models) if len(members) > 1 else count for models in members) < 2:
                left = " besides those of a data set" if len(members) > 1 else ""
                yield "sets", f"group {group!r} has fewer than 2 models{left}, which have no hull; add some"

    def moved_models(self, config: "StudyConfig") -> list[str]:
        return [*self.models(config), self.base]

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {"base": self.base, **super().settings(study, name)}

    def describe(self, name: str) -> str:
        groups = "all models as one group" if self.by is None else f"groups by {self.by}"
        outside = f"{self.base} plus random directions" if self.by is None else "models of other groups"
        return (
            f"{name}: {self.loss_words()}; {groups} (sets {', '.join(self.sets)}), measured on data sets that they "
            f"have not learnt where a group has several, random points of their convex hull, and {outside}"
        )

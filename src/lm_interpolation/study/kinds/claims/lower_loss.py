"""The claim lower_loss."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from lm_interpolation.claims.vocabulary import AT_MOST
from lm_interpolation.study.kinds.analyses.loss import Loss
from lm_interpolation.study.kinds.analyses.model_loss import ModelLoss
from lm_interpolation.study.kinds.base import Declaration, LanguageModel, Maybe, Name, Names, Number, Problem, Ref
from lm_interpolation.study.kinds.checks import LOSS_STATISTICS, check_loss_statistic
from lm_interpolation.study.kinds.claims.base import Claim
from lm_interpolation.study.kinds.claims.losses import OURS, at_words, check_at, check_same_texts

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig


class LossPoint(Declaration):
    """A point of the sweep of a loss analysis, or models: their mean, or the best of them on other texts."""

    TOGETHER: ClassVar[tuple[tuple[str, str], ...]] = (("best_on", "models"),)
    ONE_OF: ClassVar[tuple[str, ...]] = ("at", "models")

    analysis: Annotated[Name, Ref("analyses")] = Field(description="Name of the analysis of losses.")
    at: Maybe[Annotated[dict[str, Number], MinLen(1)]] = Field(
        default=None, description="Coordinates of a point of the sweep of a loss analysis."
    )
    models: Maybe[Names[LanguageModel]] = Field(
        default=None, description="Names of models that the analysis measures; the mean of their losses counts."
    )
    best_on: Maybe[Annotated[Name, Ref("analyses")]] = Field(
        default=None,
        description="Analysis of the losses of these models on other texts; only the model that is best there counts.",
    )

    def words(self) -> str:
        """What is measured, for people."""
        if self.at is not None:
            return f"{self.analysis} at {at_words(self.at)}"
        assert self.models is not None
        one = self.models[0] if len(self.models) == 1 else f"the mean of {', '.join(self.models)}"
        if self.best_on is not None:
            one = f"the best of {', '.join(self.models)} on {self.best_on}"
        return f"{one} ({self.analysis})"

    def problems(self, config: "StudyConfig", class_name: str | None) -> Iterator[Problem]:
        """Mistakes, beyond references."""
        if self.at is not None:
            loss = config.analyses[self.analysis]
            if not isinstance(loss, Loss):
                yield "analysis", f"{self.analysis!r} is of kind {loss.kind}; choose one of kind loss"
                return
            yield from check_at(config, loss.sweep, self.at, "at")
        for key, name in (("analysis", self.analysis), ("best_on", self.best_on)):
            if name is None:
                continue
            for model in self.models or []:
                found = config.analyses[name]
                if not isinstance(found, ModelLoss) or model not in found.names(config):
                    yield key, f"{name!r} does not measure model {model!r} by itself; choose an analysis that does"
        if self.best_on is not None and self.best_on == self.analysis:
            yield "best_on", "is the analysis that measures the models; name one of other texts"
        if class_name is not None and class_name not in (
            getattr(config.analyses[self.analysis], "classes", None) or []
        ):
            yield "analysis", f"{self.analysis!r} has no class {class_name!r}; choose another, or take class out"


class LowerLossClaim(Claim):
    """One point has a lower loss than another one, on the same texts."""

    SECTION: ClassVar[str] = OURS
    STATEMENT: ClassVar[str] = "{point_words} has a lower loss than {baseline_words}"
    STATISTIC: ClassVar[str] = "{statistic}: {point_words} minus {baseline_words}"
    UNIT: ClassVar[str] = "nats"
    SIDE: ClassVar[str] = AT_MOST

    test: Literal["lower_loss"] = Field(description="Mean loss at a point minus that at another one.")
    point: LossPoint = Field(description="The point.")
    baseline: LossPoint = Field(description="The point that it is compared with.")
    class_: Maybe[Name] = Field(
        default=None, alias="class", description="Class of the analyses, by default the mean of all."
    )
    statistic: str = Field(description=f"Statistic of the losses: {' or '.join(LOSS_STATISTICS)}.")

    def values_of_words(self) -> dict[str, Any]:
        return super().values_of_words() | {"point_words": self.point.words(), "baseline_words": self.baseline.words()}

    def loss_analyses(self) -> list[str]:
        named = (name for one in (self.point, self.baseline) for name in (one.analysis, one.best_on))
        return list(dict.fromkeys(name for name in named if name is not None))

    def check(self, config: "StudyConfig") -> Iterator[Problem]:
        yield from super().check(config)
        yield from check_loss_statistic(self.statistic, "statistic")
        wrong = False
        for key, point in (("point", self.point), ("baseline", self.baseline)):
            for path, words in point.problems(config, self.class_):
                wrong = True
                yield f"{key}.{path}", words
        if not wrong:
            yield from check_same_texts(config, self.point.analysis, self.baseline.analysis, "baseline.analysis")
        if self.point == self.baseline:
            yield "baseline", "is the same point; name another one to compare with"
